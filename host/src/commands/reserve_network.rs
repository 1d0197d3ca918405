//! `portkeeper reserve-network`

use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::reserve::grant;
use super::scan::{follow, runtime};
use crate::app::answers::NetworkReservedView;
use crate::app::{
    CommandError, CommandResult, Context, Documented, Format, Help, HoldArgs, NetworkArgs, SelectionArgs, Table,
    lease_text,
};
use crate::model::{Host, PortRange, PortSet, Protocol};
use crate::reserve::{Granted, PortSelector, with_twins};
use crate::reserve_network::{Candidate, Established, Prefer, first_with_a_free_port};
use crate::scan::{Ending, Options, Report, ScanError, Targets, Wanted, scan};

/// The options that mean something else here have the defaults of this command in their help.
#[derive(Debug, Args)]
#[command(mut_arg("range", |range| {
    range.long_help(format!(
        "The ports to choose from, in ascending order: `--range 8000-8100` or `--range 8000 8100` [default: {}]",
        PortRange::usual()
    ))
}))]
#[command(mut_arg("preferred", |preferred| {
    preferred.long_help(format!("This port if it is free, else the first free one of the range, {} without --range", PortRange::usual()))
}))]
#[command(mut_arg("host", |host| {
    host.help("The hosts to choose from, by name or address: of this machine, or other ones [default: those of this machine's networks]")
}))]
pub(crate) struct ReserveNetworkArgs {
    /// Which hosts come first: own, the addresses of this machine; remote, other machines. The other ones come next
    #[arg(long, value_name = "WHICH", default_value = "own")]
    prefer: PreferArg,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    hold: HoldArgs,

    #[command(flatten)]
    network: NetworkArgs,
}

impl Documented for ReserveNetworkArgs {
    const HELP: Help = Help {
        description: "\
            On an address of this machine the port is tested by binding it. On another machine it counts as free when a scan finds it \
            closed; the reservation keeps it from others who ask this registry, but not from programs on that machine.",
        examples: &[
            (
                "portkeeper reserve-network --hold",
                "Reserve a port on one of this machine's network addresses and keep it",
            ),
            (
                "portkeeper reserve-network --prefer remote --range 8000-8050",
                "Reserve a port that is closed on another machine",
            ),
        ],
    };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PreferArg {
    Own,
    Remote,
}

impl From<PreferArg> for Prefer {
    fn from(prefer: PreferArg) -> Self {
        match prefer {
            PreferArg::Own => Self::Own,
            PreferArg::Remote => Self::Remote,
        }
    }
}

/// Where to look, and for what.
struct Search<'a> {
    context: &'a Context,
    args: &'a ReserveNetworkArgs,
    targets: Targets,
    choice: PortSelector,
    /// The ports that another machine is asked about.
    ports: PortSet,
}

type Found = Option<(Vec<Granted>, Established)>;

pub(crate) fn run(context: &Context, args: &ReserveNetworkArgs) -> CommandResult {
    let choice = args.selection.choice_within(PortRange::usual());
    // A choice that leaves it to the policy has no ports of its own, and the policy knows nothing of other machines.
    let ports = choice.ports().unwrap_or_else(|| PortRange::usual().into());
    let search = Search { context, args, targets: targets(context, args)?, choice, ports };
    for which in Prefer::from(args.prefer).order() {
        let found = match which {
            Prefer::Own => search.own()?,
            Prefer::Remote => search.remote()?,
        };
        if let Some((granted, established)) = found {
            let answer = print(context, args, &granted, established);
            context.answered(&granted, args.selection.env_file(), answer)?;
            context.tell_holds(&granted);
            return Ok(ExitCode::SUCCESS);
        }
    }
    Err(search.refusal())
}

/// A machine without a network still has itself.
fn targets(context: &Context, args: &ReserveNetworkArgs) -> Result<Targets, CommandError> {
    let hosts = args.selection.hosts();
    match args.network.wanted(hosts, []).targets() {
        Err(ScanError::NoNetwork { .. }) => {
            context.printer.note("note: this machine has no local network, so the port is one of 127.0.0.1");
            let wanted = Wanted { hosts: vec![Host::default()], ..Wanted::default() };
            Ok(wanted.targets()?)
        }
        targets => Ok(targets?),
    }
}

impl Search<'_> {
    fn own(&self) -> Result<Found, CommandError> {
        self.first_of(&Candidate::own(&self.targets))
    }

    fn remote(&self) -> Result<Found, CommandError> {
        if self.targets.is_own() || self.only_own().is_some() {
            return Ok(None);
        }
        self.first_of(&Candidate::remote(&self.scan()?))
    }

    fn first_of(&self, candidates: &[Candidate]) -> Result<Found, CommandError> {
        let (context, selection) = (self.context, &self.args.selection);
        let (store, hold) = (context.store()?, &self.args.hold);
        let machine = context.machine_for(&store, hold)?;
        let attempt = |candidate: &Candidate| {
            let requests = selection.requests_on(candidate.host(), candidate.addresses(), self.choice, hold)?;
            grant(context, selection, requests, &store, &candidate.world(&machine))
        };
        let first = first_with_a_free_port(candidates, attempt, CommandError::is_no)?;
        Ok(first.map(|(granted, candidate)| (granted, candidate.established())))
    }

    /// Why a port of another machine won't do.
    fn only_own(&self) -> Option<&'static str> {
        let selection = &self.args.selection;
        if selection.protocols().contains(Protocol::Udp) {
            return Some("a UDP port of another machine cannot be seen to be free");
        }
        if self.args.hold.kind().is_some() {
            return Some("a port of another machine can only be held by a program that runs there");
        }
        selection.write_env().map(|_| "--write-env writes ports of this machine only")
    }

    fn scan(&self) -> Result<Report, CommandError> {
        let options = self.args.network.tune(Options::new(self.ports.clone()));
        let mut report = Report::new(&self.targets, &options.ports);
        let ending = runtime()?.block_on(async {
            let mut scan = scan(self.targets.clone(), &options)?;
            let take = |event| {
                report.take(event);
                Ok(())
            };
            Ok::<_, CommandError>(follow(&mut scan, self.context.globals.quiet, take).await?)
        })?;
        report.notes().iter().for_each(|note| self.context.printer.note(format_args!("note: {note}")));
        match ending {
            None => Err(CommandError::interrupted()),
            Some(Ending::Broken) if report.hosts().next().is_none() => {
                Err(CommandError::environment("the network went away while it was scanned"))
            }
            Some(_) => Ok(report),
        }
    }

    fn refusal(&self) -> CommandError {
        let why = self.only_own().map(|why| format!(" ({why})")).unwrap_or_default();
        let count = self.args.selection.count();
        let what = if count == 1 { "no free port".to_owned() } else { format!("no host with {count} free ports") };
        CommandError::no(format_args!(
            "{what} among {} at the {} addresses that were asked{why}",
            self.choice,
            self.targets.len()
        ))
        .hint("ask for a wider range; `portkeeper scan` shows what is there")
    }
}

fn print(
    context: &Context,
    args: &ReserveNetworkArgs,
    granted: &[Granted],
    established: Established,
) -> std::io::Result<()> {
    let printer = &context.printer;
    let views = with_twins(granted).map(|(granted, twin)| NetworkReservedView::new(granted, twin, established));
    let views: Vec<_> = views.collect();
    match printer.format_or_json() {
        Format::Table => printer.text(table(granted, established)),
        format if args.selection.is_list() => printer.json_list(format, &views),
        _ => views.iter().try_for_each(|view| printer.json(view)),
    }
}

fn table(granted: &[Granted], established: Established) -> Table {
    let mut table = Table::new(&["HOST", "PORT", "OWNER", "LEASE", "FREE BY"]);
    let by = match established {
        Established::Bind => "bind",
        Established::Scan => "scan",
    };
    for (Granted { reservation, .. }, _) in with_twins(granted) {
        table.row([
            reservation.host.to_string(),
            reservation.port.to_string(),
            reservation.owner.clone().unwrap_or_default(),
            lease_text(reservation),
            by.to_owned(),
        ]);
    }
    table
}

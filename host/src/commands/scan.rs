//! `portkeeper scan`

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio::time::interval;

use crate::app::{
    CommandError, CommandResult, Context, Documented, Format, Help, NetworkArgs, ScanProgress, finished_line, network,
    scan_line, scan_summary, scan_table,
};
use crate::fs::describe;
use crate::model::{Host, HostError, PortRange, PortSet};
use crate::scan::{Ending, Event, IpNet, Names, Options, PortState, Report, scan};
use crate::wait::{Asked, Url};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which ports"))]
pub(crate) struct ScanArgs {
    /// The hosts and networks to scan: nas, 192.0.2.7, 192.0.2.0/24 [default: the networks that this machine is in]
    #[arg(value_name = "TARGET", value_parser = target)]
    targets: Vec<Target>,

    /// The ports to try: `--range 8000-8050` or `--range 8000 8050` [default: 8000-9000]
    #[arg(long, value_name = "A-B", group = "which ports")]
    range: Option<PortRange>,

    /// The ports to try, one by one or as ranges: 22,80,8000-8050
    #[arg(long, short, value_name = "LIST", group = "which ports")]
    ports: Option<PortSet>,

    /// This host, by name or address. May be given several times
    #[arg(long)]
    host: Vec<Host>,

    /// Show only open ports, and hosts that have some
    #[arg(long)]
    open: bool,

    /// Show only free ports, and hosts that have some
    #[arg(long, conflicts_with = "open")]
    free: bool,

    /// Ask the system's resolver for the names of hosts. Names from the hosts file are always shown
    #[arg(long)]
    resolve: bool,

    /// Print what is found as it is found: one JSON document a line
    #[arg(long)]
    stream: bool,

    #[command(flatten)]
    network: NetworkArgs,
}

impl Documented for ScanArgs {
    const HELP: Help = Help {
        description: "\
            Without a TARGET, --interface, --cidr and --host: the networks that this machine is in. Scan only networks that are yours, \
            or whose owners agree. `free` means that the host refused a connection just now; a firewall's answer, or none, means \
            nothing.",
        examples: &[
            ("portkeeper scan --range 8000-8050", "Try 51 ports on every host of this machine's networks"),
            ("portkeeper scan --host nas --ports 22,80,443", "Try three ports of one host"),
            ("portkeeper scan --open --stream", "Print open ports as they are found"),
        ],
    };
}

/// What a word names.
#[derive(Debug, Clone)]
enum Target {
    Network(IpNet),
    Host(Host),
}

/// A network where there is a slash, else a host. Digits alone are neither, though they could be a host's name: they are meant as ports.
fn target(text: &str) -> Result<Target, String> {
    if text.contains('/') && !text.contains("://") {
        return network(text).map(Target::Network);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',' || byte == b'-') {
        return Err(format!("`{text}` is neither a host nor a network; ports are given with -p {text}"));
    }
    match text.parse::<Asked>() {
        Ok(Asked::Address(host, port) | Asked::Url(Url { host, port, .. })) => {
            Err(format!("a target is without a port: {host} -p {port}"))
        }
        _ => text.parse().map(Target::Host).map_err(|error: HostError| error.to_string()),
    }
}

impl ScanArgs {
    /// The hosts that were named, in whatever way.
    fn hosts(&self) -> Vec<Host> {
        let named = self.targets.iter().filter_map(|target| match target {
            Target::Host(host) => Some(host.clone()),
            Target::Network(_) => None,
        });
        self.host.iter().cloned().chain(named).collect()
    }

    fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.targets.iter().filter_map(|target| match target {
            Target::Network(network) => Some(*network),
            Target::Host(_) => None,
        })
    }

    fn ports(&self) -> PortSet {
        self.range.map(PortSet::from).or_else(|| self.ports.clone()).unwrap_or_else(|| PortRange::usual().into())
    }

    fn only(&self) -> Option<PortState> {
        let open = self.open.then_some(PortState::Open);
        open.or_else(|| self.free.then_some(PortState::Closed))
    }
}

pub(crate) fn run(context: &Context, args: &ScanArgs) -> CommandResult {
    let printer = &context.printer;
    if args.stream && matches!(printer.format(), Format::Table | Format::Json) && context.globals.format().is_some() {
        return Err(CommandError::usage(
            "--stream prints JSON lines: leave out --format and --json, or say --format jsonl",
        ));
    }
    let targets = args.network.wanted(&args.hosts(), args.networks()).targets()?;
    let options = args.network.tune(Options::new(args.ports()));
    let names = Names::of_this_machine();
    let mut report = Report::new(&targets, &options.ports);
    let runtime = runtime()?;
    let ending = runtime.block_on(async {
        let mut scan = scan(targets, &options)?;
        let ending = follow(&mut scan, context.globals.quiet || args.stream, |event| {
            if args.stream
                && let Some(line) = scan_line(&event, args.only(), &names)
            {
                printer.json(&line)?;
            }
            report.take(event);
            Ok(())
        })
        .await?;
        report.count(scan.progress(), scan.elapsed());
        Ok::<_, CommandError>(ending)
    })?;
    report.name(&runtime.block_on(all_names(names, &report, args.resolve && !args.stream)));
    if let Some(state) = args.only() {
        report.keep(state);
    }
    print(context, args, &report)?;
    Ok(match ending {
        Some(Ending::Complete) => ExitCode::SUCCESS,
        Some(Ending::TimeUp) => ExitCode::from(1),
        Some(Ending::Broken) => ExitCode::from(3),
        None => ExitCode::from(130),
    })
}

/// The one that asynchronous rooms run on.
pub(super) fn runtime() -> Result<Runtime, CommandError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime
        .map_err(|error| CommandError::environment(format_args!("cannot wait for the network: {}", describe(&error))))
}

/// Follows a scan to its end, or until it is interrupted: then there is no ending.
pub(super) async fn follow(
    scan: &mut crate::scan::Scan,
    quiet: bool,
    mut take: impl FnMut(Event) -> io::Result<()>,
) -> io::Result<Option<Ending>> {
    const REDRAW: Duration = Duration::from_millis(100);
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    let mut clock = interval(REDRAW);
    let mut progress = ScanProgress::new(quiet);
    loop {
        tokio::select! {
            biased;
            Ok(()) = &mut interrupted => return Ok(None),
            event = scan.next() => match event {
                Some(Event::Finished(ending)) => {
                    take(Event::Finished(ending))?;
                    return Ok(Some(ending));
                }
                Some(event) => take(event)?,
                None => return Ok(None),
            },
            _ = clock.tick() => progress.update(&scan.progress()),
        }
    }
}

async fn all_names(mut names: Names, report: &Report, resolve: bool) -> Names {
    if resolve {
        names.look_up(report.hosts().map(|host| host.address.ip)).await;
    }
    names
}

fn print(context: &Context, args: &ScanArgs, report: &Report) -> Result<(), CommandError> {
    let printer = &context.printer;
    if args.stream {
        return Ok(printer.json(&finished_line(report))?);
    }
    match printer.format() {
        Format::Table => {
            report.notes().iter().for_each(|note| printer.note(format_args!("note: {note}")));
            if report.hosts().next().is_some() {
                printer.text(scan_table(report, args.only()))?;
            }
            printer.note(scan_summary(report));
        }
        Format::Json => printer.json(report)?,
        Format::Jsonl => report.hosts().try_for_each(|host| printer.json(host))?,
    }
    Ok(())
}

//! `portkeeper pick`

use std::net::IpAddr;
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::PickedWhy;
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help, ProtocolsParser, count};
use crate::model::{Host, Port, PortRange, PortSpec, Protocol, Protocols};
use crate::policy::{KernelPorts, good_ports, reasons};
use crate::probe::{self, ANYWHERE, PortState, ProbeError};
use crate::registry::{Snapshot, Store};
use crate::reserve::{Machine, Pick, World, described, live_on, pick};

#[derive(Debug, Args)]
pub(crate) struct PickArgs {
    /// Among which ports: `8000`, `8000-8010`, `8000,8080,9000-9010`, or `-1` for any good one [default: -1]
    #[arg(value_name = "PORTS", allow_negative_numbers = true)]
    among: Vec<PortSpec>,

    /// The number of ports: all of them, or none
    #[arg(short = 'n', long, value_name = "N", default_value = "1", value_parser = count::<u16>)]
    count: u16,

    /// Any of the ports, instead of the first that is free
    #[arg(long)]
    random: bool,

    /// Exclude these ports
    #[arg(long, value_name = "PORTS")]
    exclude: Vec<PortSpec>,

    /// Say whether these are good ports and free, and what speaks against them; exit with 1 if anything does
    #[arg(long, value_name = "PORT", num_args = 1.., conflicts_with_all = ["among", "count", "random", "exclude"])]
    why: Vec<Port>,

    /// The host whose ports are meant. 127.0.0.1 and localhost stand for both loopback addresses
    /// [default: 127.0.0.1, or what PORTKEEPER_HOST says]
    #[arg(long)]
    host: Option<Host>,

    /// The transport protocol: tcp, udp, or tcp,udp for ports that are free for both
    #[arg(long, default_value = "tcp", value_parser = ProtocolsParser, hide_possible_values = true)]
    protocol: Protocols,
}

impl Documented for PickArgs {
    const HELP: Help = Help {
        description: "\
            Skips ports that are reserved or in use. Nothing keeps other programs from taking a port that was only picked: `reserve` and \
            `port` make one yours.",
        examples: &[
            ("portkeeper pick 8000-8010", "The first free port of a range"),
            ("portkeeper pick --why 3000 5000", "Report whether ports are free and well chosen"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &PickArgs) -> CommandResult {
    let default = context.default_host()?;
    let addresses = probe::local_addresses(args.host.as_ref().unwrap_or(&default))?;
    let everywhere = args.host.is_none() && default.is_default();
    let store = context.store()?;
    let (machine, snapshot) = (context.machine(&store)?, store.snapshot()?);
    context.tell_notices(snapshot.notices());
    if !args.why.is_empty() {
        return say_why(context, args, &machine, &snapshot, (&addresses, everywhere));
    }
    let among = union(&args.among)?;
    let yields = |protocol| good_ports(protocol, &KernelPorts::here(), 0).ephemeral_range_yielded();
    if among.ranges().is_none() && args.protocol.iter().any(yields) {
        context.printer.warn("the kernel's ephemeral range leaves no good port, so these are from that range");
    }
    let except = if args.exclude.is_empty() { PortSpec::none() } else { union(&args.exclude)? };
    let wish = Pick {
        count: usize::from(args.count),
        among: &among,
        except: &except,
        random: args.random,
        protocols: args.protocol,
        addresses: &addresses,
        everywhere,
    };
    let ports = pick(&snapshot, &machine, &wish)?;
    let printer = &context.printer;
    match printer.format_or_text() {
        Format::Table => printer.text(ports.iter().map(|port| format!("{port}\n")).collect::<String>())?,
        format => printer.json_list(format, &ports)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What several specifications name together.
fn union(specs: &[PortSpec]) -> Result<PortSpec, CommandError> {
    let named: Option<Vec<&[PortRange]>> = specs.iter().map(PortSpec::ranges).collect();
    match (named, specs) {
        (_, []) | (None, [_]) => Ok(PortSpec::any()),
        (Some(named), _) => Ok(named.into_iter().flatten().copied().collect()),
        (None, _) => Err(CommandError::usage("-1 means any good port: it cannot be given with others")),
    }
}

/// What can be said about one port.
struct Verdict {
    port: Port,
    /// What speaks against choosing it.
    not_good: Vec<String>,
    /// What keeps it from being had now.
    not_free: Vec<String>,
}

fn say_why(
    context: &Context,
    args: &PickArgs,
    machine: &Machine,
    snapshot: &Snapshot,
    (addresses, everywhere): (&[IpAddr], bool),
) -> CommandResult {
    let kernel = KernelPorts::here();
    let verdict = |&port: &Port| {
        let mut verdict = Verdict { port, not_good: Vec::new(), not_free: Vec::new() };
        for protocol in args.protocol.iter() {
            let says = |reason: String| {
                if args.protocol == Protocols::Both { format!("{protocol}: {reason}") } else { reason }
            };
            let not_good = reasons(protocol, port, &kernel);
            verdict.not_good.extend(not_good.iter().map(ToString::to_string).map(says));
            let not_free = not_free(machine, snapshot, protocol, port, (addresses, everywhere))?;
            verdict.not_free.extend(not_free.into_iter().map(says));
        }
        Ok(verdict)
    };
    let verdicts = args.why.iter().map(verdict).collect::<Result<Vec<_>, ProbeError>>()?;
    let printer = &context.printer;
    match printer.format_or_text() {
        Format::Table => verdicts.iter().flat_map(Verdict::lines).try_for_each(|line| printer.line(line))?,
        format => printer.json_list(format, &verdicts.iter().map(Verdict::answer).collect::<Vec<_>>())?,
    }
    let all_well = verdicts.iter().all(|verdict| verdict.not_good.is_empty() && verdict.not_free.is_empty());
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn not_free(
    machine: &Machine,
    snapshot: &Snapshot,
    protocol: Protocol,
    port: Port,
    (addresses, everywhere): (&[IpAddr], bool),
) -> Result<Vec<String>, ProbeError> {
    let reserved = live_on(snapshot, machine, protocol, port, addresses);
    let mut reasons: Vec<_> =
        reserved.map(|reservation| format!("it is reserved {}", described(reservation))).collect();
    let addresses = if everywhere { &ANYWHERE } else { addresses };
    let users = || machine.occupied_by(protocol, port, addresses).iter().map(ToString::to_string).collect::<Vec<_>>();
    match machine.probe(protocol, port, addresses) {
        Ok(PortState::Free) => {}
        Ok(PortState::Lingering) => reasons
            .push("old connections linger on it: only a server that sets SO_REUSEADDR can have it now".to_owned()),
        Ok(PortState::Taken) => match users() {
            users if users.is_empty() => reasons.push("something that cannot be seen from here uses it".to_owned()),
            users => reasons.extend(users),
        },
        Err(error @ ProbeError::Denied { .. }) => {
            reasons.extend(users());
            reasons.push(error.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(reasons)
}

impl Verdict {
    fn lines(&self) -> Vec<String> {
        let good = if self.not_good.is_empty() { "a good port" } else { "not a good port" };
        let free = if self.not_free.is_empty() { "free" } else { "not free" };
        let link = if self.not_good.is_empty() == self.not_free.is_empty() { "and" } else { "but" };
        let verdict = format!("{} is {good}, {link} {free}", self.port);
        let reasons = self.not_good.iter().chain(&self.not_free).map(|reason| format!("  {reason}"));
        std::iter::once(verdict).chain(reasons).collect()
    }

    fn answer(&self) -> PickedWhy<'_> {
        let Self { port, not_good, not_free } = self;
        PickedWhy { port: *port, good: not_good.is_empty(), free: not_free.is_empty(), not_good, not_free }
    }
}

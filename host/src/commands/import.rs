//! `portkeeper import`

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use crate::app::answers::{Imported, ReservationView, Skipped};
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help, time_to_live};
use crate::fs::{PathContext, read_up_to};
use crate::import::{
    Fault, OldReservation, PORT_FOR_FILE, PORTKEEPER_FILE, Parsed, Place, parse_port_for, parse_portkeeper,
};
use crate::model::{Host, Lease, LeaseName, Name, Port, Protocols, Reservation};
use crate::probe;
use crate::reserve::{Adopted, GRACE, Granted, PortSelector, Request, adopt, described};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub(crate) struct ImportArgs {
    /// The names of port-for, as global names [default file: /etc/port-for.conf]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = PORT_FOR_FILE, group = "source")]
    port_for: Option<PathBuf>,

    /// The reservations of the Python portkeeper [default file: .port_registry.json]. They live on while something listens on the port,
    /// and for 60 seconds in any case, because that tool never ended any
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = PORTKEEPER_FILE, group = "source")]
    portkeeper: Option<PathBuf>,

    /// With --portkeeper: keep the ports for this long, whether they are used or not
    #[arg(long, value_name = "DURATION", value_parser = time_to_live, requires = "portkeeper")]
    ttl: Option<Duration>,
}

impl Documented for ImportArgs {
    const HELP: Help = Help {
        description: "\
            What cannot be imported is skipped, reported with its place, and makes the exit code 1: an entry that is damaged, and one \
            whose name or port is here already with something else. What is here stays as it is. The file is only read.",
        examples: &[
            ("portkeeper import --port-for", "Names from /etc/port-for.conf, as global names"),
            ("portkeeper import --portkeeper .port_registry.json", "Reservations of the Python portkeeper"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &ImportArgs) -> CommandResult {
    let host = context.default_host()?;
    let (path, parsed) = match (&args.port_for, &args.portkeeper) {
        (Some(path), _) => (path, names(parse_port_for(&read(path)?), &host)?),
        (None, Some(path)) => (path, old_reservations(path, args.ttl)?),
        (None, None) => unreachable!("the group requires one of them"),
    };
    let Parsed { entries, mut faults, remarks } = parsed;
    remarks.iter().for_each(|remark| context.printer.note(in_file(path, remark)));
    let (places, requests): (Vec<_>, Vec<_>) = entries.into_iter().unzip();
    let store = context.store()?;
    let adopted = if requests.is_empty() { Vec::new() } else { adopt(&store, &context.machine(&store)?, &requests)? };
    let mut imported = Vec::new();
    for ((place, request), adopted) in places.into_iter().zip(&requests).zip(adopted) {
        match adopted {
            Adopted::Added(granted) => imported.push(*granted),
            Adopted::WasThere => context.printer.note(in_file(path, format_args!("{place}: it is here already"))),
            Adopted::InTheWay(here) => faults.push(Fault { place, why: conflict(request, &here) }),
        }
    }
    let done = |error| CommandError::done_but(format_args!("{} reservations are taken over", imported.len()), &error);
    print(context, &imported, &faults).map_err(done)?;
    tell_occupied(context, &imported);
    faults.iter().for_each(|fault| context.printer.error(format_args!("{}, skipped", in_file(path, fault))));
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The largest file that is taken over, in bytes: a hundred thousand names are a tenth of it.
const LARGEST: u64 = 64 << 20;

/// A file, or a pipe that another program writes into.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let bytes = std::fs::File::open(path).and_then(|file| read_up_to(file, LARGEST + 1)).at(path)?;
    if bytes.len() as u64 > LARGEST {
        return Err(CommandError::usage(in_file(path, format_args!("larger than {} MiB", LARGEST >> 20))));
    }
    Ok(bytes)
}

fn in_file(path: &Path, what: impl Display) -> String {
    format!("{}: {what}", path.display())
}

/// A request for each name: a global one, on the default host.
fn names(parsed: Parsed<(Name, Port)>, host: &Host) -> Result<Parsed<Request>, CommandError> {
    let addresses = probe::local_addresses(host)?;
    let request = |(place, (name, port)): (Place, (Name, Port))| {
        let name = LeaseName { name: name.as_str().to_owned(), project: None, config: None, provisional: false };
        let choice = PortSelector::allow_in_use(port);
        let (host, addresses) = (host.clone(), addresses.clone());
        (
            place,
            Request {
                host,
                addresses,
                protocols: Protocols::Tcp,
                choice,
                owner: None,
                lease: Lease::Named(name),
                hold: None,
            },
        )
    };
    let Parsed { entries, faults, remarks } = parsed;
    Ok(Parsed { entries: entries.into_iter().map(request).collect(), faults, remarks })
}

/// A request for each reservation whose host is one of this machine.
fn old_reservations(path: &Path, ttl: Option<Duration>) -> Result<Parsed<Request>, CommandError> {
    let Parsed { entries, faults, remarks } = parse_portkeeper(&read(path)?).map_err(|why| {
        CommandError::usage(in_file(path, format_args!("not a registry of the Python portkeeper: {why}")))
    })?;
    let mut parsed = Parsed { entries: Vec::new(), faults, remarks };
    for (place, OldReservation { host, port, owner }) in entries {
        let lease = ttl.map_or(Lease::Grace { length: GRACE }, |length| Lease::Timed { length });
        let choice = PortSelector::allow_in_use(port);
        match probe::local_addresses(&host) {
            Ok(addresses) => {
                let request = Request { host, addresses, protocols: Protocols::Tcp, choice, owner, lease, hold: None };
                parsed.entries.push((place, request));
            }
            Err(error) => parsed.faults.push(Fault { place, why: error.to_string() }),
        }
    }
    Ok(parsed)
}

fn conflict(request: &Request, here: &Reservation) -> String {
    match (&request.lease, here.name()) {
        (Lease::Named(wanted), Some(name)) if wanted.is_same(name) => {
            format!("`{}` has port {} here, and keeps it", name.name, here.port)
        }
        _ => format!("port {} is reserved here {}", here.port, described(here)),
    }
}

fn tell_occupied(context: &Context, imported: &[Granted]) {
    for Granted { reservation, occupied_by, .. } in imported {
        if let (Some(name), Some(occupied)) = (reservation.name(), occupied_by.first()) {
            context.printer.note(format_args!("{} has {}, and {occupied}", name.name, reservation.port));
        }
    }
}

fn print<'a>(context: &Context, imported: &[Granted], faults: &'a [Fault]) -> std::io::Result<()> {
    let printer = &context.printer;
    match printer.format() {
        Format::Table => imported.iter().try_for_each(|granted| {
            let Reservation { host, port, .. } = &granted.reservation;
            match granted.reservation.name() {
                Some(name) => printer.line(format_args!("imported {}: {port}", name.name)),
                None => printer.line(format_args!("imported {host}:{port}")),
            }
        }),
        Format::Jsonl => imported.iter().try_for_each(|granted| printer.json(&ReservationView::from(granted))),
        Format::Json => {
            let skipped = |fault: &'a Fault| Skipped { place: fault.place.to_string(), reason: &fault.why };
            printer.json(&Imported {
                imported: imported.iter().map(ReservationView::from).collect(),
                skipped: faults.iter().map(skipped).collect(),
            })
        }
    }
}

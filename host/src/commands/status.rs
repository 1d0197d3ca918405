//! `portkeeper status`

use std::process::ExitCode;

use clap::Args;

use crate::app::answers::{OccupiedView, StatusView};
use crate::app::{CommandResult, Context, Documented, Format, Help, Table, age, lease_text};
use crate::model::{Protocol, Reservation};
use crate::os::inspect::user_text;
use crate::registry::{Store, Transaction};
use crate::reserve::{Machine, Occupied, World, holder_of, recover, unkept};

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Leave out reservations of other machines, containers and network namespaces that share the registry
    #[arg(long)]
    here: bool,
}

impl Documented for StatusArgs {
    const HELP: Help = Help {
        description: "\
            Every reservation in the registry with its owner, its lease, and the process that listens on its port now.",
        examples: &[
            ("portkeeper status", "All reservations"),
            ("portkeeper status --here --json", "Those of this machine and network namespace, as JSON"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &StatusArgs) -> CommandResult {
    let store = context.store()?;
    let (snapshot, machine) = (store.snapshot()?, context.machine(&store)?);
    context.tell_notices(snapshot.notices());
    // What only holders still know of is listed, too.
    let mut snapshot = Transaction::dry_run(snapshot);
    let unclear = recover(&mut snapshot, &machine)?.unclear();
    context.tell_notices(&unclear.collect::<Vec<_>>());
    context.tell_notices(&unkept(snapshot.reservations(), &machine));
    let now = machine.now().wall;
    let rows: Vec<_> = snapshot
        .reservations()
        .iter()
        .map(|reservation| {
            let here = machine.place().shares_ports_with(&reservation.place);
            let occupied = if here { listeners(&machine, reservation) } else { Vec::new() };
            (reservation, here, holder_of(reservation, &machine), occupied)
        })
        .filter(|(_, here, ..)| *here || !args.here)
        .collect();
    let views = rows.iter().map(|(reservation, _, holder, occupied)| {
        StatusView::new(reservation, now, machine.place(), *holder, occupied)
    });
    match context.printer.format() {
        Format::Table if rows.is_empty() => context.printer.line("no reservations")?,
        Format::Table => {
            let mut table =
                Table::new(&["HOST", "PORT", "PROTO", "OWNER", "NAME", "PROJECT", "LEASE", "HOLD", "AGE", "LISTENING"]);
            for (view, (reservation, _, _, occupied)) in views.zip(&rows) {
                table.row(cells(&view, reservation, occupied));
            }
            context.printer.text(table)?;
        }
        format => context.printer.json_list(format, &views.collect::<Vec<_>>())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn listeners(machine: &Machine, reservation: &Reservation) -> Vec<Occupied> {
    let Reservation { protocol, port, addresses, .. } = reservation;
    let mut occupied = machine.listeners(*protocol, *port, addresses);
    // A UDP socket that only holds the port looks like any other.
    let holder = reservation.hold.as_ref().filter(|_| *protocol == Protocol::Udp).map(|hold| hold.holder.pid);
    occupied.retain(|occupied| holder.is_none() || occupied.pid != holder);
    occupied
}

fn cells(view: &StatusView<'_>, reservation: &Reservation, occupied: &[Occupied]) -> [String; 10] {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let listening = match occupied.first() {
        Some(Occupied { command: Some(command), pid: Some(pid), .. }) => {
            // A stranger on a reserved port is what people look for here.
            let stranger = view.listening.first().is_some_and(OccupiedView::is_stranger);
            format!("{command} ({pid}){}", if stranger { ", a stranger" } else { "" })
        }
        Some(Occupied { uid: Some(uid), .. }) => format!("of user {}", user_text(*uid)),
        Some(_) => "yes".to_owned(),
        None if view.here => String::new(),
        None => "another place".to_owned(),
    };
    [
        view.reservation.host.to_string(),
        view.reservation.port.to_string(),
        view.reservation.protocol.to_string(),
        text(view.reservation.owner),
        text(view.reservation.name),
        view.reservation.project.map(|path| path.display().to_string()).unwrap_or_default(),
        lease_text(reservation),
        hold_text(view),
        age(view.age_seconds),
        listening,
    ]
}

fn hold_text(view: &StatusView<'_>) -> String {
    match (&view.reservation.holder, view.hold_lost) {
        (Some(pid), _) => format!("{} ({pid})", view.reservation.guarantee),
        (None, true) => "hold lost".to_owned(),
        (None, false) => String::new(),
    }
}

//! The reservations, beside what they depend on.

use jiff::SignedDuration;

use super::Finding;
use crate::model::{Port, PortRange, Protocol, Reservation};
use crate::probe::Sockets;
use crate::registry::Snapshot;
use crate::reserve::{Presence, World, presence, would_collect};

/// Clocks of machines that share a registry differ a little.
const USUAL_DRIFT: SignedDuration = SignedDuration::from_secs(60);

/// How many ports or directories a finding names.
const NAMED: usize = 5;

/// Reservations whose reason is gone.
#[must_use]
pub fn stale(snapshot: &Snapshot, world: &impl World) -> Finding {
    const ABOUT: &str = "stale";
    let stale = match would_collect(snapshot, world).map(|collected| collected.released) {
        Ok(stale) => stale,
        Err(error) => return Finding::unreadable(ABOUT, &error),
    };
    match stale.first() {
        None => Finding::ok(ABOUT, "every reservation has a reason"),
        Some(first) => {
            let Reservation { port, .. } = &first.reservation;
            let what = match stale.len() {
                1 => format!("the reservation of port {port} is stale: {}", first.why),
                count => format!("{count} reservations are stale, the first of port {port}: {}", first.why),
            };
            Finding::note(ABOUT, what, "portkeeper gc ends them")
        }
    }
}

/// Ports that the kernel may give to an outgoing connection although they are reserved.
#[must_use]
pub fn ephemeral(snapshot: &Snapshot, world: &impl World, range: Option<PortRange>, withheld: &[PortRange]) -> Finding {
    const ABOUT: &str = "ephemeral ports";
    let Some(range) = range else { return Finding::ok(ABOUT, "this system does not tell its range") };
    let exposed = |port: Port| range.contains(port) && !withheld.iter().any(|withheld| withheld.contains(port));
    let mut ports: Vec<_> =
        here(snapshot, world).map(|reservation| reservation.port).filter(|&port| exposed(port)).collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.is_empty() {
        return Finding::ok(ABOUT, format!("no reservation lies in {range}, from which the kernel picks ports"));
    }
    let what = format!("{} lies in {range}: an outgoing connection may take it before its server does", named(&ports));
    let lasting = withheld.iter().map(ToString::to_string).map(|range| match range.split_once('-') {
        Some((first, last)) if first == last => first.to_owned(),
        _ => range,
    });
    let all: Vec<_> = lasting.chain(ports.iter().map(ToString::to_string)).collect();
    Finding::problem(
        ABOUT,
        what,
        format!("as root, keep the kernel from it: sysctl -w net.ipv4.ip_local_reserved_ports={}", all.join(",")),
    )
}

/// Reservations from the future: the clock has been set back, or another machine's is ahead.
#[must_use]
pub fn clock(snapshot: &Snapshot, world: &impl World) -> Finding {
    const ABOUT: &str = "clock";
    let now = world.now();
    let ahead = |reservation: &&Reservation| reservation.created.duration_since(now.wall) > USUAL_DRIFT;
    let ports: Vec<_> = snapshot.reservations().iter().filter(ahead).map(|reservation| reservation.port).collect();
    if ports.is_empty() {
        return Finding::ok(ABOUT, "no reservation is from the future");
    }
    Finding::problem(
        ABOUT,
        format!("{} was reserved in the future: the clock has been set back", named(&ports)),
        "set the clock right (timedatectl); leases keep their length within this boot, those from before it may end early",
    )
}

/// Projects that cannot be seen, so that it is unknown whether their names are needed.
#[must_use]
pub fn projects(snapshot: &Snapshot, world: &impl World) -> Finding {
    const ABOUT: &str = "projects";
    let projects = || here(snapshot, world).filter_map(|reservation| reservation.name()?.project.as_deref());
    let mut hidden: Vec<_> = projects()
        .filter(|project| presence(project) == Presence::Unknown)
        .map(|project| project.path.display().to_string())
        .collect();
    hidden.sort();
    hidden.dedup();
    if hidden.is_empty() {
        return Finding::ok(ABOUT, "every project's directory can be seen");
    }
    let more = hidden.len().saturating_sub(NAMED);
    hidden.truncate(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Finding::note(
        ABOUT,
        format!("{}{more} cannot be seen, so the names there are kept", hidden.join(", ")),
        "mount the disk or open the directory; if the project is gone for good, portkeeper release PORT",
    )
}

/// Whether the kernel shows its tables, without which no process can be named.
#[must_use]
pub fn tables() -> Finding {
    const ABOUT: &str = "socket tables";
    match [Protocol::Tcp, Protocol::Udp].into_iter().find_map(|protocol| Sockets::read(protocol).err()) {
        None => Finding::ok(ABOUT, "readable"),
        Some(error) => Finding::problem(
            ABOUT,
            error.to_string(),
            "in a sandbox, allow netlink sockets (NETLINK_SOCK_DIAG) or mount /proc",
        ),
    }
}

pub(super) fn here<'a>(snapshot: &'a Snapshot, world: &impl World) -> impl Iterator<Item = &'a Reservation> {
    let place = world.place().clone();
    snapshot.reservations().iter().filter(move |reservation| place.shares_ports_with(&reservation.place))
}

/// `8000, 8001 and 3 more`
pub(super) fn named(ports: &[Port]) -> String {
    let first: Vec<_> = ports.iter().take(NAMED).map(ToString::to_string).collect();
    match ports.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

//! Reservations as answers show them: the JSON that scripts rely on.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{Guarantee, Host, Lease, Place, Port, Protocol, Reservation};
use crate::os::Liveness;
use crate::probe::SocketState;
use crate::reserve::{Granted, Occupied};
use crate::reserve_network::Established;
use crate::who::{Ownership, ownership};

/// A reservation, as `reserve` answers.
#[derive(Debug, Serialize)]
pub(crate) struct ReservedView<'a> {
    pub(crate) host: &'a Host,
    pub(crate) port: Port,
    /// The first of them, if it is reserved for several.
    protocol: Protocol,
    /// All of them, if it is reserved for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocols: Option<[Protocol; 2]>,
    held: bool,
    guarantee: Guarantee,
    /// The pid of the process that has the sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<u32>,
    addresses: &'a [IpAddr],
    owner: Option<&'a str>,
    lease: LeaseView<'a>,
    /// The port that the name had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved_from: Option<Port>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    occupied_by: Vec<OccupiedView<'a>>,
}

/// A reservation, as `reserve-network` answers.
#[derive(Debug, Serialize)]
pub(crate) struct NetworkReservedView<'a> {
    #[serde(flatten)]
    reserved: ReservedView<'a>,
    /// Whether it is an address of this machine.
    own: bool,
    /// How the port was found to be free: `bind`, or `scan`.
    established: &'static str,
}

impl<'a> NetworkReservedView<'a> {
    pub(crate) fn new(granted: &'a Granted, twin: Option<&'a Granted>, established: Established) -> Self {
        let own = established == Established::Bind;
        Self { reserved: ReservedView::new(granted, twin), own, established: if own { "bind" } else { "scan" } }
    }
}

/// Why a reservation is alive.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum LeaseView<'a> {
    /// While its holder lives.
    Held,
    /// While the process runs.
    Process { pid: u32 },
    /// While something listens, and for this long in any case.
    Grace { seconds: serde_json::Number },
    /// Until then.
    Timed { until: Timestamp },
    /// Until it is released.
    Named { name: &'a str, project: Option<&'a Path> },
}

/// Who uses a port.
#[derive(Debug, Serialize)]
pub(crate) struct OccupiedView<'a> {
    address: SocketAddr,
    state: SocketState,
    pid: Option<u32>,
    command: Option<&'a str>,
    uid: Option<u32>,
    /// Whose the process is: the reservation's own, a stranger's, or unknown.
    ownership: Ownership,
}

/// A reservation, as `status` answers.
#[derive(Debug, Serialize)]
pub(crate) struct StatusView<'a> {
    pub(crate) host: &'a Host,
    pub(crate) port: Port,
    pub(crate) protocol: Protocol,
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) owner: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) project: Option<&'a Path>,
    pub(crate) lease: LeaseView<'a>,
    pub(crate) held: bool,
    pub(crate) guarantee: Guarantee,
    /// The pid of the process that has the sockets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) holder: Option<u32>,
    /// Whether there was a hold that lives no more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) hold_lost: bool,
    pub(crate) created: Timestamp,
    pub(crate) age_seconds: i64,
    /// Whether the reservation belongs to this machine and network namespace.
    pub(crate) here: bool,
    pub(crate) listening: Vec<OccupiedView<'a>>,
}

impl<'a> ReservedView<'a> {
    /// A port with its twin. What is said of both holds for both: it is held if both are, and the guarantee is the weaker one.
    pub(crate) fn new(granted: &'a Granted, twin: Option<&'a Granted>) -> Self {
        let reservation = &granted.reservation;
        let held = granted.held && twin.is_none_or(|twin| twin.held);
        let both = || std::iter::once(granted).chain(twin);
        let users = both().flat_map(|one| occupied(&one.occupied_by, &one.reservation, &one.reservation.place));
        Self {
            host: &reservation.host,
            port: reservation.port,
            protocol: reservation.protocol,
            protocols: twin.map(|twin| [reservation.protocol, twin.reservation.protocol]),
            held,
            guarantee: granted.guarantee_with(twin),
            holder: reservation.hold.as_ref().filter(|_| held).map(|hold| hold.holder.pid),
            addresses: &reservation.addresses,
            owner: reservation.owner.as_deref(),
            lease: LeaseView::of(reservation),
            moved_from: granted.moved_from(),
            occupied_by: users.collect(),
        }
    }
}

impl<'a> LeaseView<'a> {
    pub(crate) fn of(reservation: &'a Reservation) -> Self {
        match &reservation.lease {
            Lease::Held => Self::Held,
            Lease::Process(process) => Self::Process { pid: process.pid },
            Lease::Grace { length } => Self::Grace { seconds: seconds(*length) },
            Lease::Timed { length } => Self::Timed { until: reservation.time_after(*length) },
            Lease::Named(name) => {
                Self::Named { name: &name.name, project: name.project.as_ref().map(|project| project.path.as_path()) }
            }
        }
    }
}

/// A reservation that has ended, as `release` and `gc` answer.
#[derive(Debug, Serialize)]
pub(crate) struct ReleasedView<'a> {
    host: &'a Host,
    port: Port,
    protocol: Protocol,
    owner: Option<&'a str>,
    name: Option<&'a str>,
    project: Option<&'a Path>,
    why: String,
}

impl<'a> ReleasedView<'a> {
    pub(crate) fn new(reservation: &'a Reservation, why: String) -> Self {
        let name = reservation.name();
        Self {
            host: &reservation.host,
            port: reservation.port,
            protocol: reservation.protocol,
            owner: reservation.owner.as_deref(),
            name: name.map(|name| name.name.as_str()),
            project: name.and_then(|name| name.project.as_ref()).map(|project| project.path.as_path()),
            why,
        }
    }
}

/// Who uses the port of a reservation, seen from here.
fn occupied<'a>(occupied: &'a [Occupied], reservation: &Reservation, here: &Place) -> Vec<OccupiedView<'a>> {
    let view = |each: &'a Occupied| OccupiedView {
        address: each.address,
        state: each.state,
        pid: each.pid,
        command: each.command.as_deref(),
        uid: each.uid,
        ownership: each.pid.map_or(Ownership::Unknown, |pid| ownership(reservation, pid, each.uid, here)),
    };
    occupied.iter().map(view).collect()
}

/// Who uses the port of a reservation and is not known to be the very server that it is for: that one needs no word, unless the port is
/// only now reserved.
pub(crate) fn other_user(granted: &Granted) -> Option<&Occupied> {
    let Granted { reservation, occupied_by, existed, .. } = granted;
    let is_own =
        |each: &Occupied, pid| *existed && ownership(reservation, pid, each.uid, &reservation.place) == Ownership::Own;
    occupied_by.iter().find(|each| !each.pid.is_some_and(|pid| is_own(each, pid)))
}

impl OccupiedView<'_> {
    /// Whether it is proven to be someone else.
    pub(crate) fn is_stranger(&self) -> bool {
        self.ownership == Ownership::Stranger
    }
}

impl<'a> StatusView<'a> {
    pub(crate) fn new(
        reservation: &'a Reservation,
        now: Timestamp,
        place: &Place,
        holder: Option<Liveness>,
        listening: &'a [Occupied],
    ) -> Self {
        let name = reservation.name();
        let hold_lost = holder == Some(Liveness::Ended);
        let hold = reservation.hold.as_ref().filter(|_| !hold_lost);
        Self {
            host: &reservation.host,
            port: reservation.port,
            protocol: reservation.protocol,
            addresses: &reservation.addresses,
            owner: reservation.owner.as_deref(),
            name: name.map(|name| name.name.as_str()),
            project: name.and_then(|name| name.project.as_ref()).map(|project| project.path.as_path()),
            lease: LeaseView::of(reservation),
            held: hold.is_some(),
            guarantee: hold.map_or(Guarantee::Advisory, |hold| hold.kind.into()),
            holder: hold.map(|hold| hold.holder.pid),
            hold_lost,
            created: reservation.created,
            age_seconds: now.duration_since(reservation.created).as_secs().max(0),
            here: place.shares_ports_with(&reservation.place),
            listening: occupied(listening, reservation, place),
        }
    }
}

/// Seconds, with a fraction only if there is one.
fn seconds(length: Duration) -> serde_json::Number {
    let fraction = (length.subsec_nanos() != 0).then(|| serde_json::Number::from_f64(length.as_secs_f64()));
    fraction.flatten().unwrap_or_else(|| length.as_secs().into())
}

/// A reservation's lease in a few words for a table.
pub(crate) fn lease_text(reservation: &Reservation) -> String {
    match &reservation.lease {
        Lease::Held => "held".to_owned(),
        Lease::Process(process) => format!("process {}", process.pid),
        Lease::Grace { length } => format!("grace {} s", length.as_secs_f64()),
        Lease::Timed { length } => format!("until {:.0}", reservation.time_after(*length)),
        Lease::Named(name) if name.provisional => "being written".to_owned(),
        Lease::Named(_) => "named".to_owned(),
    }
}

/// An age in its two largest units.
pub(crate) fn age(seconds: i64) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let first = UNITS.iter().position(|(length, _)| seconds >= *length).unwrap_or(UNITS.len() - 1);
    let mut rest = seconds;
    let mut words = Vec::new();
    for (length, unit) in UNITS.iter().skip(first).take(2) {
        words.push(format!("{}{unit}", rest / length));
        rest %= length;
    }
    words.retain(|word| !word.starts_with('0') || seconds == 0);
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units_at_most() {
        assert_eq!(age(0), "0s");
        assert_eq!(age(59), "59s");
        assert_eq!(age(60), "1m");
        assert_eq!(age(3_725), "1h 2m");
        assert_eq!(age(90_000), "1d 1h");
    }
}

//! Reservations as answers show them.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::explain::Claim;
use crate::model::{Guarantee, Hold, Host, Lease, Place, Port, Protocol, Reservation};
use crate::os::Liveness;
use crate::probe::SocketState;
use crate::reserve::{Granted, Occupied, World, holder_of};
use crate::reserve_network::Established;
use crate::who::{Ownership, ownership};

/// A reservation, the same in every answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReservationView<'a> {
    /// The host as it was asked for: an address, a wildcard, or a name.
    pub(crate) host: &'a Host,
    /// The port.
    pub(crate) port: Port,
    /// The protocol that the port is reserved for.
    pub(crate) protocol: Protocol,
    /// Whether sockets keep the port now.
    pub(crate) held: bool,
    /// What keeps other programs from the port.
    pub(crate) guarantee: Guarantee,
    /// The pid of the process that has those sockets.
    pub(crate) holder: Option<u32>,
    /// The addresses of the host.
    addresses: &'a [IpAddr],
    /// Whom the reservation is for, if `--owner` said so.
    pub(crate) owner: Option<&'a str>,
    /// The name, or the key of a config.
    pub(crate) name: Option<&'a str>,
    /// The directory of the project that the name belongs to; none for a global name.
    pub(crate) project: Option<&'a Path>,
    /// What keeps the reservation.
    lease: LeaseView,
}

impl<'a> ReservationView<'a> {
    /// With the hold only where it lives.
    fn new(reservation: &'a Reservation, hold: Option<&Hold>) -> Self {
        let name = reservation.name();
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
        }
    }
}

/// A reservation as `reserve` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ReservedView<'a> {
    #[serde(flatten)]
    reservation: ReservationView<'a>,
    /// The protocols that the port is reserved for.
    protocols: Vec<Protocol>,
    /// The port that the name had before, if it has moved.
    moved_from: Option<Port>,
    /// The processes that use the port although it is reserved.
    occupied_by: Vec<OccupiedView<'a>>,
}

/// A reservation as `reserve-network` answers.
#[derive(Debug, Serialize, JsonSchema)]
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

/// What keeps a reservation.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum LeaseView {
    /// It lasts as long as its holder.
    Held,
    /// It lasts as long as a process.
    Process {
        /// The process.
        pid: u32,
    },
    /// It lasts as long as a process listens on the port, and some time in any case.
    Grace {
        /// That time, from when it was made.
        seconds: serde_json::Number,
    },
    /// It lasts until then, whatever listens.
    Timed {
        /// Then.
        until: Timestamp,
    },
    /// It belongs to its name until it is released, or its project is gone.
    Named,
}

/// A process that uses a port.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OccupiedView<'a> {
    /// The address and port of its socket.
    address: SocketAddr,
    /// What the socket does.
    state: SocketState,
    /// Its pid, if this user may see it.
    pid: Option<u32>,
    /// Its name.
    command: Option<&'a str>,
    /// The user of the socket.
    uid: Option<u32>,
    /// Whose the process is: the reservation's own, a stranger's, or unknown.
    ownership: Ownership,
}

/// A reservation as `status` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct StatusView<'a> {
    #[serde(flatten)]
    pub(crate) reservation: ReservationView<'a>,
    /// Whether there was a hold, and its holder has ended.
    pub(crate) hold_lost: bool,
    /// When it was made.
    created: Timestamp,
    /// How long ago that was.
    pub(crate) age_seconds: i64,
    /// Whether the reservation belongs to this machine and network namespace.
    pub(crate) here: bool,
    /// The sockets that listen on the port now.
    pub(crate) listening: Vec<OccupiedView<'a>>,
}

/// A name as `list --json` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NameView<'a> {
    #[serde(flatten)]
    reservation: ReservationView<'a>,
    /// The protocols that the port is reserved for.
    protocols: Vec<Protocol>,
    /// The config that the name comes from.
    config: Option<&'a str>,
    /// Whether it belongs to this machine and network namespace.
    here: bool,
}

impl<'a> NameView<'a> {
    /// The reservations of a name, one for each of its protocols. It is held if all of them are.
    pub(crate) fn new(twins: &[&'a Reservation], world: &impl World) -> Self {
        let (reservation, place) = (twins[0], world.place());
        let has_hold = |twin: &&Reservation| twin.hold.is_some() && holder_of(twin, world) != Some(Liveness::Ended);
        let held = twins.iter().all(has_hold);
        let weakest = twins.iter().filter_map(|twin| twin.hold.as_ref()).min_by_key(|hold| Guarantee::from(hold.kind));
        Self {
            reservation: ReservationView::new(reservation, weakest.filter(|_| held)),
            protocols: twins.iter().map(|twin| twin.protocol).collect(),
            config: reservation.name().and_then(|name| name.config.as_deref()),
            here: place.shares_ports_with(&reservation.place),
        }
    }
}

/// A reservation of the port that `explain` is about.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ClaimView<'a> {
    #[serde(flatten)]
    reservation: ReservationView<'a>,
    /// Whom it is for, in words.
    purpose: String,
    /// Whether there was a hold, and its holder has ended.
    hold_lost: bool,
    /// When it was made.
    created: Timestamp,
    /// Whether it belongs to this machine and network namespace.
    here: bool,
    /// Why it has ended, if it has; the next `reserve` or `gc` removes it.
    stale: Option<String>,
}

impl<'a> ClaimView<'a> {
    pub(crate) fn new(claim: &'a Claim, directory: &Path) -> Self {
        let hold_lost = claim.holder == Some(Liveness::Ended);
        let hold = claim.reservation.hold.as_ref().filter(|_| !hold_lost);
        Self {
            reservation: ReservationView::new(&claim.reservation, hold),
            purpose: claim.purpose(directory),
            hold_lost,
            created: claim.reservation.created,
            here: claim.here,
            stale: claim.stale.as_ref().map(ToString::to_string),
        }
    }
}

impl<'a> From<&'a Granted> for ReservationView<'a> {
    fn from(granted: &'a Granted) -> Self {
        let hold = granted.reservation.hold.as_ref().filter(|_| granted.held);
        let guarantee = granted.guarantee();
        Self { held: granted.held, guarantee, ..Self::new(&granted.reservation, hold) }
    }
}

impl<'a> ReservedView<'a> {
    /// A port with its twin. What is said of both holds for both: it is held if both are, and the guarantee is the weaker one.
    pub(crate) fn new(granted: &'a Granted, twin: Option<&'a Granted>) -> Self {
        let both = || std::iter::once(granted).chain(twin);
        let users = both().flat_map(|one| occupied(&one.occupied_by, &one.reservation, &one.reservation.place));
        let held = both().all(|one| one.held);
        let hold = granted.reservation.hold.as_ref().filter(|_| held);
        Self {
            reservation: ReservationView {
                held,
                guarantee: granted.guarantee_with(twin),
                ..ReservationView::new(&granted.reservation, hold)
            },
            protocols: both().map(|one| one.reservation.protocol).collect(),
            moved_from: granted.moved_from(),
            occupied_by: users.collect(),
        }
    }
}

impl LeaseView {
    fn of(reservation: &Reservation) -> Self {
        match &reservation.lease {
            Lease::Held => Self::Held,
            Lease::Process(process) => Self::Process { pid: process.pid },
            Lease::Grace { length } => Self::Grace { seconds: seconds(*length) },
            Lease::Timed { length } => Self::Timed { until: reservation.time_after(*length) },
            Lease::Named(_) => Self::Named,
        }
    }
}

/// A reservation that has ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EndedReservation<'a> {
    #[serde(flatten)]
    reservation: ReservationView<'a>,
    /// Why it has ended.
    reason: String,
}

impl<'a> EndedReservation<'a> {
    pub(crate) fn new(reservation: &'a Reservation, reason: String) -> Self {
        Self { reservation: ReservationView::new(reservation, None), reason }
    }
}

/// What `release` and `gc` answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Released<'a> {
    /// The reservations that have ended, or that `gc --dry-run` would end.
    pub(crate) released: Vec<EndedReservation<'a>>,
}

/// What uses the port of a reservation, seen from here.
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

/// What uses the port of a reservation and is not known to be the very server that it is for: that one needs no note, unless the port is
/// only now reserved.
pub(crate) fn other_user(granted: &Granted) -> Option<&Occupied> {
    let Granted { reservation, occupied_by, existed, .. } = granted;
    let is_own =
        |each: &Occupied, pid| *existed && ownership(reservation, pid, each.uid, &reservation.place) == Ownership::Own;
    occupied_by.iter().find(|each| !each.pid.is_some_and(|pid| is_own(each, pid)))
}

impl OccupiedView<'_> {
    /// Whether it provably does not belong to the reservation.
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
        let hold_lost = holder == Some(Liveness::Ended);
        Self {
            reservation: ReservationView::new(reservation, reservation.hold.as_ref().filter(|_| !hold_lost)),
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

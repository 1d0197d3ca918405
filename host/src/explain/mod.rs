//! Everything that can matter about one port, and one verdict from it.
//!
//! [`explain`] collects: the registry, the sockets with their processes, what the kernel keeps back, what the policy has against
//! the port. [`Verdict`] says in one line how it stands, [`Explanation::advice`] what to do.

mod advice;
mod claim;
mod verdict;

pub use advice::how_to_stop;
pub use claim::{Claim, Whose};
pub use verdict::Verdict;

use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use crate::model::{Port, PortRange, Protocol, Reservation};
use crate::os;
use crate::policy::{KernelPorts, Reason, why_not};
use crate::probe::{PortState, SocketState, probe};
use crate::reserve::{Machine, World};
use crate::who::{OnPort, Ownership, ProcessInfo, Reach, ownership, sockets_on};

/// Everything that is known about a port.
#[derive(Debug)]
pub struct Explanation {
    /// The port.
    pub port: Port,
    /// The reservations of it, those of other places included.
    pub claims: Vec<Claim>,
    /// The sockets that keep others from it: listening, bound, or, where there is neither, connected from it.
    pub sockets: Vec<Seat>,
    /// How many connections run over it, those of its server included.
    pub connections: usize,
    /// How many closed connections are left (TIME_WAIT, or closing without a process).
    pub remnants: usize,
    /// Whether it cannot be bound or answers although no socket is to be seen: a firewall forwards it, or who has it is hidden.
    pub unseen: bool,
    /// What the kernel's settings say of it.
    pub kernel: KernelSettings,
    /// What the policy has against it, for TCP.
    pub policy: Option<Reason>,
    /// Other ports that are reserved for this project, with their names.
    pub yours: Vec<(Port, String)>,
    /// How it stands.
    pub verdict: Verdict,
}

/// A socket on the port, and who is behind it.
#[derive(Debug)]
pub struct Seat {
    /// The socket.
    pub socket: OnPort,
    /// Its process; none where this user may not see it.
    pub process: Option<ProcessInfo>,
    /// Whether the process is the one that the socket's port is reserved for, if it is reserved.
    pub ownership: Option<Ownership>,
    /// Whose that reservation is.
    pub whose: Option<Whose>,
}

/// What the kernel's settings say of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KernelSettings {
    /// The range from which the kernel picks ports by itself, if the port lies in it.
    pub ephemeral_range: Option<PortRange>,
    /// Whether the administrator keeps it from that choice (`ip_local_reserved_ports`).
    pub withheld: bool,
    /// The lowest port that needs no privilege, if this port is lower.
    pub privileged_below: Option<Port>,
}

impl KernelSettings {
    fn of(port: Port) -> Self {
        Self {
            ephemeral_range: os::ephemeral_ports().filter(|range| range.contains(port)),
            withheld: os::set_aside_ports().iter().any(|range| range.contains(port)),
            privileged_below: os::first_unprivileged_port().filter(|&first| port < first),
        }
    }
}

/// Looks at everything that can matter about the port, for someone in `directory`.
#[must_use]
pub fn explain(port: Port, reservations: &[Reservation], machine: &Machine, directory: &Path) -> Explanation {
    let reach = Reach::of(directory);
    let claims: Vec<_> = reservations
        .iter()
        .filter(|reservation| reservation.port == port)
        .map(|reservation| Claim::of(reservation, machine, &reach))
        .collect();
    let on_port = [Protocol::Tcp, Protocol::Udp].map(|protocol| sockets_on(machine, protocol, port, &OnPort::ANYWHERE));
    let all = || on_port.iter().flatten();
    let count = |state| all().filter(|socket| socket.state == state).count();
    // A server's connections are its own affair. Where there is no server they are what has the port.
    let held = all().any(OnPort::is_held);
    let seats = all().filter(|socket| if held { socket.is_held() } else { socket.state == SocketState::Connected });
    let sockets: Vec<_> = seats.map(|socket| Seat::of(socket.clone(), &claims, machine)).collect();
    let tcp = sockets.iter().any(|seat| seat.socket.protocol == Protocol::Tcp);
    let unseen = !tcp && is_refused(port);
    let mut explanation = Explanation {
        port,
        unseen,
        connections: count(SocketState::Connected),
        remnants: count(SocketState::Remnant),
        kernel: KernelSettings::of(port),
        policy: why_not(Protocol::Tcp, port, &KernelPorts::here()),
        yours: yours(port, reservations, machine, &reach),
        verdict: Verdict::Free,
        claims,
        sockets,
    };
    explanation.verdict = Verdict::of(&explanation);
    explanation
}

/// Whether the kernel says that the port is taken. A port that this user may not bind says nothing.
fn is_refused(port: Port) -> bool {
    let anywhere: &[IpAddr] = &OnPort::ANYWHERE;
    probe(Protocol::Tcp, port, anywhere).is_ok_and(|state| state == PortState::Taken)
}

/// The ports other than this one that are reserved for the project of the directory that `reach` starts from, with their names.
#[must_use]
pub fn yours(port: Port, reservations: &[Reservation], machine: &Machine, reach: &Reach) -> Vec<(Port, String)> {
    reservations
        .iter()
        .filter(|reservation| reservation.port != port && machine.place().shares_ports_with(&reservation.place))
        .filter(|reservation| Whose::of(reservation, reach) == Whose::Project)
        .filter_map(|reservation| Some((reservation.port, reservation.name()?.name.clone())))
        .collect()
}

impl Seat {
    fn of(socket: OnPort, claims: &[Claim], machine: &Machine) -> Self {
        let claim = claims.iter().find(|claim| claim.is_live() && claim.covers(&socket));
        let process = socket.process.as_ref();
        let ownership =
            claim.zip(process).map(|(claim, process)| ownership(&claim.reservation, process.pid, machine.place()));
        Self { process: process.map(ProcessInfo::of), ownership, whose: claim.map(|claim| claim.whose.clone()), socket }
    }
}

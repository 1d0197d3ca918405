//! Everything that can matter about one port, and one verdict from it.
//!
//! [`explain`] collects: the registry, the sockets with their processes, what the kernel keeps back, what the policy has against
//! the port. [`Verdict`] says in one line how it stands, [`Explanation::advice`] what to do.

mod advice;
mod claim;
mod decision;
mod verdict;

pub use claim::{Claim, Whose, run_line};
pub use decision::{ClaimOf, Decision, Doubt, Occupant, Situation, decide};
pub use verdict::Verdict;

use std::net::IpAddr;
use std::path::Path;

use serde::Serialize;

use crate::model::{Lease, Port, PortRange, ProcessId, Protocol, Reservation, addresses_overlap};
use crate::os::{self, inspect};
use crate::policy::{KernelPorts, Reason, why_not};
use crate::probe::{PortState, SocketState, may_serve, probe};
use crate::reserve::{Machine, World};
use crate::who::{OnPort, Ownership, ProcessInfo, Reach, ownership, project_directory, sockets_on};

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
    /// Whether it cannot be bound or answers although no socket is to be seen: a firewall forwards it, or what has it is hidden.
    pub unseen: bool,
    /// The protocols whose sockets are unknown, because the kernel's tables cannot be read.
    pub unread: Vec<Protocol>,
    /// What the kernel's settings say of it.
    pub kernel: KernelSettings,
    /// What the policy has against it, for TCP.
    pub policy: Option<Reason>,
    /// Other ports that are reserved for this project, with their names.
    pub yours: Vec<(Port, String)>,
    /// How it stands.
    pub verdict: Verdict,
    /// The protocol that was asked about, if one was.
    asked: Option<Protocol>,
}

/// A socket on the port, and what is behind it.
#[derive(Debug, Clone)]
pub struct Seat {
    /// The socket.
    pub socket: OnPort,
    /// Its process; none where this user may not see it.
    pub process: Option<ProcessInfo>,
    /// Whether the process is the one that the socket's port is reserved for, if it is reserved.
    pub ownership: Option<Ownership>,
    /// Whose that reservation is.
    pub whose: Option<Whose>,
    /// What may be done about it.
    pub decision: Decision,
}

/// What the kernel's settings say of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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

/// Looks at everything that can matter about the port, for a user in `directory`.
#[must_use]
pub fn explain(port: Port, reservations: &[Reservation], machine: &Machine, directory: &Path) -> Explanation {
    let reach = Reach::of(directory);
    let claims: Vec<_> = reservations
        .iter()
        .filter(|reservation| reservation.port == port)
        .map(|reservation| Claim::of(reservation, machine, &reach))
        .collect();
    let (mut on_port, mut unread) = (Vec::new(), Vec::new());
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        match sockets_on(machine, protocol, port, &OnPort::ANYWHERE) {
            Some(sockets) => on_port.extend(sockets),
            None => unread.push(protocol),
        }
    }
    let all = || on_port.iter();
    let count = |state| all().filter(|socket| socket.state == state).count();
    // A server's connections are its own affair. Where there is no server they are what has the port.
    let held = all().any(OnPort::is_held);
    let seats = all().filter(|socket| if held { socket.is_held() } else { socket.state == SocketState::Connected });
    let sockets: Vec<_> = seats.map(|socket| Seat::of(socket.clone(), &claims, machine, directory)).collect();
    let tcp = sockets.iter().any(|seat| seat.socket.protocol == Protocol::Tcp);
    let unseen = !tcp && is_refused(port);
    let mut explanation = Explanation {
        port,
        unseen,
        unread,
        connections: count(SocketState::Connected),
        remnants: count(SocketState::Remnant),
        kernel: KernelSettings::of(port),
        policy: why_not(Protocol::Tcp, port, &KernelPorts::here()),
        yours: yours(port, reservations, machine, &reach),
        verdict: Verdict::Free,
        asked: None,
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

/// The ports other than this one that are reserved for the project of the directory that `reach` starts from, with their names. One that is
/// reserved for TCP and UDP is one port.
#[must_use]
pub fn yours(port: Port, reservations: &[Reservation], machine: &Machine, reach: &Reach) -> Vec<(Port, String)> {
    let mut yours: Vec<_> = reservations
        .iter()
        .filter(|reservation| reservation.port != port && machine.place().shares_ports_with(&reservation.place))
        .filter(|reservation| Whose::of(reservation, reach) == Whose::Project)
        .filter_map(|reservation| Some((reservation.port, reservation.name()?.name.clone())))
        .collect();
    yours.sort();
    yours.dedup();
    yours
}

impl Explanation {
    /// Looks at the port of this protocol, if one was asked about.
    pub fn keep_to_protocol(&mut self, protocol: Option<Protocol>) {
        self.asked = protocol;
        self.verdict = Verdict::of(self);
    }

    /// The process that the port of this socket is reserved for, where the socket's own process holds the port for it.
    #[must_use]
    pub fn command_of(&self, seat: &Seat) -> Option<ProcessId> {
        let pid = seat.process.as_ref()?.pid;
        let is_holder = |claim: &&Claim| claim.reservation.hold.is_some_and(|hold| hold.holder.pid == pid);
        let claim = self.claims.iter().filter(|claim| claim.is_live() && claim.covers(&seat.socket)).find(is_holder)?;
        match claim.reservation.lease {
            Lease::Process(process) => Some(process),
            _ => None,
        }
    }

    /// Leaves out the sockets on other addresses than these, if some were named.
    pub fn keep_to(&mut self, addresses: Option<&[IpAddr]>) {
        let Some(addresses) = addresses else { return };
        let is_there =
            |seat: &Seat| addresses.iter().any(|&address| addresses_overlap(address, seat.socket.address.ip()));
        self.sockets.retain(is_there);
    }
}

impl Seat {
    fn of(socket: OnPort, claims: &[Claim], machine: &Machine, directory: &Path) -> Self {
        let claim = claims.iter().find(|claim| claim.is_live() && claim.covers(&socket));
        let ownership = claim
            .zip(socket.process.as_ref())
            .map(|(claim, process)| ownership(&claim.reservation, process.pid, socket.uid, machine.place()));
        let process = socket.process.as_ref().map(ProcessInfo::of);
        let me = inspect::current_user();
        let decision = decide(Situation {
            occupant: occupant(&socket, process.as_ref(), claim),
            same_user: process.as_ref().is_some_and(|process| process.uid == me),
            root: me == Some(0),
            here: process.as_ref().is_some_and(|process| works_in(process, directory)),
            claim: match claim.map(|claim| &claim.whose) {
                None => ClaimOf::None,
                Some(Whose::Project) => ClaimOf::Project,
                Some(Whose::User) => ClaimOf::User,
                Some(Whose::Other(_)) => ClaimOf::Other,
            },
            ownership: ownership.unwrap_or(Ownership::Unknown),
        });
        Self { process, ownership, whose: claim.map(|claim| claim.whose.clone()), decision, socket }
    }

    /// Whether only portkeeper has the socket. It is in no server's way: what is there beside it is what has the port.
    #[must_use]
    pub fn is_guard(&self) -> bool {
        self.process.as_ref().is_some_and(|process| process.keeper)
    }
}

fn occupant(socket: &OnPort, process: Option<&ProcessInfo>, claim: Option<&Claim>) -> Occupant {
    let Some(process) = process else { return Occupant::Invisible };
    let is_recorded = || {
        let hold = claim.and_then(|claim| claim.reservation.hold);
        hold.is_some_and(|hold| hold.file.is_some() && hold.holder.pid == process.pid)
    };
    match process.pid {
        pid if inspect::is_self_or_ancestor(pid) => Occupant::Asker,
        _ if process.keeper && is_recorded() => Occupant::RecordedHold,
        _ if process.keeper => Occupant::OtherHold,
        _ if process.container_proxy || process.container.is_some() => Occupant::Container,
        pid if inspect::manages_services(pid) => Occupant::ServiceManager,
        pid if !may_serve(pid, socket.uid) => Occupant::Bystander,
        _ => Occupant::Server,
    }
}

fn works_in(process: &ProcessInfo, directory: &Path) -> bool {
    let Some(theirs) = &process.directory else { return false };
    // Everything is below the root, which is no project.
    let below = directory.parent().is_some() && theirs.starts_with(directory);
    below || (process.project.is_some() && process.project == project_directory(directory))
}

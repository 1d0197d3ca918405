//! A port on a host of the network: one of our own addresses, or another machine.
//!
//! On an address of our own the port is bound to see whether it is free. On another machine only that machine could do so: there a
//! port counts as free when a scan saw it closed, and the entry in our registry keeps it from others who ask this registry.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::fs::PathError;
use crate::hold::{HeldByFiles, HoldBackend, HoldError};
use crate::model::{Caller, Hold, HoldId, Host, Moment, Place, Port, ProcessId, Project, Protocol};
use crate::os::Liveness;
use crate::probe::{PortState, ProbeError, local_addresses};
use crate::reserve::{Machine, Occupied, PortSelector, Presence, ReserveError, World};
use crate::scan::{PortState as Seen, Ports, Report, ScanError, Targets};

/// Why there is no port.
#[derive(Debug, Error)]
pub enum ReserveNetworkError {
    /// There is no scan, and so no host.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// The registry or the kernel cannot be used.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// No host has a free port.
    #[error("no free port among {choice} at the {addresses} addresses that were asked")]
    NoneFree {
        /// What was asked for.
        choice: PortSelector,
        /// How many addresses there were.
        addresses: u64,
    },
}

/// A host that may have a free port.
#[derive(Debug)]
pub struct Candidate {
    /// Its address.
    pub address: IpAddr,
    /// What a scan saw there; none for an address of our own.
    seen: Option<Ports>,
}

/// Which hosts come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Prefer {
    /// Our own addresses.
    #[default]
    Own,
    /// Other machines.
    Remote,
}

impl Prefer {
    /// All hosts, these first.
    #[must_use]
    pub fn order(self) -> [Self; 2] {
        match self {
            Self::Own => [Self::Own, Self::Remote],
            Self::Remote => [Self::Remote, Self::Own],
        }
    }
}

/// How a port was established to be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Established {
    /// It was bound.
    Bind,
    /// A scan saw it closed: that machine sent an RST.
    Scan,
}

impl Candidate {
    /// The addresses of this machine among the targets.
    #[must_use]
    pub fn own(targets: &Targets) -> Vec<Self> {
        targets.own().map(|address| Self { address: address.ip, seen: None }).collect()
    }

    /// The other machines of a report that have closed ports. Those whose address needs a zone cannot be written into a registry.
    #[must_use]
    pub fn remote(report: &Report) -> Vec<Self> {
        let usable = report.hosts().filter(|host| !host.own && host.up_by.is_proven());
        let closed = usable.filter(|host| host.ports.that_are(Seen::Closed).next().is_some());
        let routed = closed.filter(|host| !matches!(host.address.ip, IpAddr::V6(ip) if ip.is_unicast_link_local()));
        routed.map(|host| Self { address: host.address.ip, seen: Some(host.ports.clone()) }).collect()
    }

    /// The host of its reservations.
    #[must_use]
    pub fn host(&self) -> Host {
        self.address.into()
    }

    /// The addresses that a reservation there stands for: of loopback both.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let addresses = self.seen.is_none().then(|| local_addresses(&self.host()).ok()).flatten();
        addresses.unwrap_or_else(|| vec![self.address])
    }

    /// How its free ports are established.
    #[must_use]
    pub fn established(&self) -> Established {
        if self.seen.is_some() { Established::Scan } else { Established::Bind }
    }

    /// The world in which its ports are chosen, as seen from this machine.
    #[must_use]
    pub fn world<'a>(&'a self, machine: &'a Machine) -> Reach<'a> {
        Reach { machine, seen: self.seen.as_ref() }
    }
}

/// Tries the candidates in turn until one has a free port: the first answer, and whose it is. None when none has one.
///
/// # Errors
/// What a try fails with, other than that no port is free.
pub fn first_with_a_free_port<T, E>(
    candidates: &[Candidate],
    mut attempt: impl FnMut(&Candidate) -> Result<T, E>,
    is_taken: impl Fn(&E) -> bool,
) -> Result<Option<(T, &Candidate)>, E> {
    for candidate in candidates {
        match attempt(candidate) {
            Ok(granted) => return Ok(Some((granted, candidate))),
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether the error only means that the host has no free port.
#[must_use]
pub fn is_taken(error: &ReserveError) -> bool {
    matches!(error, ReserveError::NotFree { .. } | ReserveError::NoneFree { .. })
}

/// This machine, and what is known of one other.
#[derive(Debug)]
pub struct Reach<'a> {
    machine: &'a Machine,
    seen: Option<&'a Ports>,
}

impl World for Reach<'_> {
    fn place(&self) -> &Arc<Place> {
        self.machine.place()
    }

    fn now(&self) -> Moment {
        self.machine.now()
    }

    fn probe(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
        match self.seen {
            None => self.machine.probe(protocol, port, addresses),
            // Only TCP answers reliably for a port on which no process listens.
            Some(ports) if protocol == Protocol::Tcp && ports.state(port) == Some(Seen::Closed) => Ok(PortState::Free),
            Some(_) => Ok(PortState::Taken),
        }
    }

    fn is_listening(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> bool {
        self.machine.is_listening(protocol, port, addresses)
    }

    fn occupied_by(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Vec<Occupied> {
        self.machine.occupied_by(protocol, port, addresses)
    }

    fn liveness(&self, process: &ProcessId) -> Liveness {
        self.machine.liveness(process)
    }

    fn presence(&self, project: &Project) -> Presence {
        self.machine.presence(project)
    }

    fn good_ports(&self, protocol: Protocol) -> Box<dyn Iterator<Item = Port> + '_> {
        self.machine.good_ports(protocol)
    }

    fn caller(&self) -> Option<Caller> {
        self.machine.caller()
    }

    fn hold_file(&self, id: HoldId) -> Liveness {
        self.machine.hold_file(id)
    }

    fn held(&self, except: &HashSet<HoldId>) -> Result<HeldByFiles, PathError> {
        self.machine.held(except)
    }

    fn release_hold(&self, hold: &Hold, ports: &[(Protocol, Port)]) -> Result<(), HoldError> {
        self.machine.release_hold(hold, ports)
    }

    fn sweep(&self) -> Result<(), PathError> {
        self.machine.sweep()
    }

    /// A port of another machine can only be held over there.
    fn keeper(&self) -> Option<&dyn HoldBackend> {
        if self.seen.is_none() { self.machine.keeper() } else { None }
    }
}

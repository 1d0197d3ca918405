//! The real world: this machine, through the kernel.

use std::cell::OnceCell;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::world::{Occupied, Presence, World, presence};
use crate::model::{Caller, Moment, Place, Port, ProcessId, Project, Protocol};
use crate::os::{self, Liveness};
use crate::policy::good_ports;
use crate::probe::{self, PortState, ProbeError, Processes, SocketState, Sockets};

/// This machine, as seen from this process.
///
/// The kernel's socket tables are read at most once per protocol, when something first asks: make a new `Machine` for a new look.
#[derive(Debug)]
pub struct Machine {
    place: Arc<Place>,
    tcp: OnceCell<Option<Sockets>>,
    udp: OnceCell<Option<Sockets>>,
}

impl Machine {
    /// Looks where we are.
    #[must_use]
    pub fn here() -> Self {
        Self { place: Arc::new(os::place()), tcp: OnceCell::new(), udp: OnceCell::new() }
    }

    /// The kernel's socket tables; none where they can't be read.
    pub fn sockets(&self, protocol: Protocol) -> Option<&Sockets> {
        let cell = match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        };
        cell.get_or_init(|| Sockets::read(protocol).ok()).as_ref()
    }
}

fn ours(addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().filter(|&address| probe::is_local(address)).collect()
}

impl World for Machine {
    fn place(&self) -> &Arc<Place> {
        &self.place
    }

    fn now(&self) -> Moment {
        os::now()
    }

    fn probe(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
        probe::probe(protocol, port, addresses)
    }

    fn is_listening(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> bool {
        // On another machine's address nobody here can listen, whatever the wildcards say.
        let ours = ours(addresses);
        !ours.is_empty() && self.sockets(protocol).is_none_or(|sockets| sockets.listening(port, &ours))
    }

    fn occupied_by(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Vec<Occupied> {
        let addresses = ours(addresses);
        let mut occupants =
            self.sockets(protocol).map(|sockets| sockets.occupants(port, &addresses)).unwrap_or_default();
        // Remnants are nobody's. A listener, which people look for, comes first.
        occupants.retain(|occupant| occupant.state != SocketState::Remnant);
        occupants.sort();
        let processes = Processes::behind(occupants.iter().filter_map(|occupant| occupant.inode));
        occupants
            .into_iter()
            .map(|occupant| {
                let process = occupant.inode.and_then(|inode| processes.of(inode));
                Occupied {
                    address: SocketAddr::new(occupant.address, port.get()),
                    state: occupant.state,
                    pid: process.map(|process| process.pid),
                    command: process.map(|process| process.command.clone()),
                }
            })
            .collect()
    }

    fn liveness(&self, process: &ProcessId) -> Liveness {
        os::liveness(process)
    }

    fn presence(&self, project: &Project) -> Presence {
        presence(project)
    }

    fn good_ports(&self, protocol: Protocol) -> Box<dyn Iterator<Item = Port> + '_> {
        Box::new(good_ports(protocol, os::ephemeral_ports(), fastrand::u64(..)))
    }

    fn caller(&self) -> Option<Caller> {
        os::parent()
    }
}

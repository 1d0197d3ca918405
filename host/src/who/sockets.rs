//! The sockets on a port.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::model::{Port, Protocol};
use crate::probe::{Process, SocketState};
use crate::reserve::Machine;

/// A socket on a port, and the process that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnPort {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its own address.
    pub address: SocketAddr,
    /// What it does there.
    pub state: SocketState,
    /// The user it belongs to; known for processes that cannot be seen as well.
    pub uid: Option<u32>,
    /// Its inode.
    pub inode: Option<u64>,
    /// The process; none for a remnant, and where this user may not see it.
    pub process: Option<Process>,
}

/// The sockets of the protocol on the port, on addresses that overlap one of these; what matters most to others comes first.
/// Processes are looked up for those only that listen or are bound. None where the kernel's tables cannot be read: then nothing is known.
#[must_use]
pub fn sockets_on(machine: &Machine, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Option<Vec<OnPort>> {
    let mut occupants = machine.sockets(protocol)?.occupants(port, addresses);
    occupants.sort();
    let on_port = occupants
        .into_iter()
        .map(|occupant| OnPort {
            protocol,
            address: SocketAddr::new(occupant.address, port.get()),
            state: occupant.state,
            uid: occupant.uid,
            inode: occupant.inode,
            process: occupant.inode.and_then(|inode| machine.processes().of(inode, occupant.uid)),
        })
        .collect();
    Some(on_port)
}

impl OnPort {
    /// Every address of the machine, for [`sockets_on`].
    pub const ANYWHERE: [IpAddr; 1] = [IpAddr::V6(Ipv6Addr::UNSPECIFIED)];

    /// Whether it keeps others from the port for as long as it likes: it listens, or it is bound.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.state, SocketState::Listening | SocketState::Bound)
    }
}

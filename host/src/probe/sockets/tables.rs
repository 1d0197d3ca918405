//! Linux shows every socket of the network namespace.

use std::io;
use std::net::IpAddr;

use super::{Occupant, SocketState, netlink, proc_net};
use crate::model::{Port, Protocol, addresses_overlap};
use crate::probe::ProbeError;

/// All sockets of one protocol in this network namespace, as they were at one moment.
#[derive(Debug, Clone)]
pub struct Sockets(Vec<(u16, Occupant)>);

/// A socket as the kernel describes it.
pub(super) struct Row {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// The port at the other end; 0: none.
    pub(super) peer_port: u16,
    /// A number of include/net/tcp_states.h, for UDP as well.
    pub(super) state: u8,
    /// 0: no file refers to it.
    pub(super) inode: u64,
    pub(super) uid: u32,
}

/// The sockets that are connected to the port, wherever that is: the clients' ends, by inode.
///
/// # Errors
/// When the tables are closed.
pub(crate) fn clients(port: Port) -> io::Result<Vec<u64>> {
    let rows = netlink::read_connected().or_else(|_| proc_net::read(Protocol::Tcp))?;
    Ok(rows.into_iter().filter(|row| row.peer_port == port.get()).map(|row| row.inode).collect())
}

impl Sockets {
    /// Reads the tables: by netlink (sock_diag(7)), which shows bound sockets as well where the kernel can (Linux 6.8), and where
    /// that is closed or missing, from `/proc/net`.
    ///
    /// # Errors
    /// [`ProbeError::Tables`] when both are closed.
    pub fn read(protocol: Protocol) -> Result<Self, ProbeError> {
        Self::of(protocol, netlink::read(protocol))
    }

    /// Reads no more than what it takes to know what listens: for TCP, that is several times as fast. Sockets that don't listen may be
    /// missing.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn read_listeners(protocol: Protocol) -> Result<Self, ProbeError> {
        Self::of(protocol, netlink::read_listeners(protocol))
    }

    fn of(protocol: Protocol, by_netlink: io::Result<Vec<Row>>) -> Result<Self, ProbeError> {
        by_netlink
            .or_else(|_| proc_net::read(protocol))
            .map(|rows| Self::new(protocol, rows))
            .map_err(|source| ProbeError::Tables { protocol, source })
    }

    pub(super) fn new(protocol: Protocol, rows: Vec<Row>) -> Self {
        let mut sockets: Vec<_> = rows.into_iter().map(|row| (row.port, row.occupant(protocol))).collect();
        // A table that changes while it is read may show a socket twice.
        sockets.sort_unstable();
        sockets.dedup();
        Self(sockets)
    }

    /// Whether a socket listens on the port, on an address that overlaps one of these.
    #[must_use]
    pub fn listening(&self, port: Port, addresses: &[IpAddr]) -> bool {
        self.on(port, addresses).any(|occupant| occupant.state == SocketState::Listening)
    }

    /// The sockets at the port, on addresses that overlap one of these.
    #[must_use]
    pub fn occupants(&self, port: Port, addresses: &[IpAddr]) -> Vec<Occupant> {
        self.on(port, addresses).copied().collect()
    }

    fn on<'a>(&'a self, port: Port, addresses: &'a [IpAddr]) -> impl Iterator<Item = &'a Occupant> {
        let start = self.0.partition_point(|&(other, _)| other < port.get());
        self.0[start..]
            .iter()
            .take_while(move |&&(other, _)| other == port.get())
            .map(|(_, occupant)| occupant)
            .filter(|occupant| addresses.iter().any(|&address| addresses_overlap(address, occupant.address)))
    }
}

impl Row {
    fn occupant(&self, protocol: Protocol) -> Occupant {
        Occupant {
            address: self.address.to_canonical(),
            state: self.socket_state(protocol),
            inode: (self.inode != 0).then_some(self.inode),
            uid: Some(self.uid),
        }
    }

    /// The numbers of include/net/tcp_states.h.
    fn socket_state(&self, protocol: Protocol) -> SocketState {
        const FIN_WAIT1: u8 = 4;
        const FIN_WAIT2: u8 = 5;
        const TIME_WAIT: u8 = 6;
        const CLOSE: u8 = 7;
        const LAST_ACK: u8 = 9;
        const LISTEN: u8 = 10;
        const CLOSING: u8 = 11;
        const BOUND_INACTIVE: u8 = 13;

        let orphaned = self.inode == 0;
        match (protocol, self.state) {
            (Protocol::Udp, CLOSE) | (Protocol::Tcp, LISTEN) => SocketState::Listening,
            (Protocol::Udp, _) => SocketState::Connected,
            (_, TIME_WAIT) => SocketState::Remnant,
            // CLOSE, too: that is how a connection looks on its way from one of the others to TIME_WAIT or to its end.
            (_, FIN_WAIT1 | FIN_WAIT2 | CLOSE | LAST_ACK | CLOSING | BOUND_INACTIVE) if orphaned => {
                SocketState::Remnant
            }
            (_, CLOSE | BOUND_INACTIVE) => SocketState::Bound,
            (_, _) => SocketState::Connected,
        }
    }
}

//! Addresses of this machine. Binding shows more about their ports than connecting, and cannot mistake itself for a server: a connection
//! to an ephemeral port of one's own may come out of that very port.

use std::sync::Arc;

use super::{Address, PortState};
use crate::model::{Port, Protocol};
use crate::probe::{self, ProbeError, SocketState, Sockets};

/// How many ports are looked at in one go, about 2 ms: others wait meanwhile.
const AT_ONCE: usize = 64;

/// The ports of one of our addresses, as far as they are still to be looked at.
#[derive(Debug)]
pub(super) struct OwnPorts {
    pub(super) address: Address,
    ports: Arc<[Port]>,
    next: usize,
    /// Read when first needed; none when they cannot be read.
    tables: Option<Option<Sockets>>,
}

impl OwnPorts {
    pub(super) fn new(address: Address, ports: Arc<[Port]>) -> Self {
        Self { address, ports, next: 0, tables: None }
    }

    /// The next few ports; none when all are done.
    pub(super) fn look(&mut self) -> Option<Vec<(Port, PortState)>> {
        let ports = Arc::clone(&self.ports);
        let some = ports[self.next..].iter().take(AT_ONCE);
        let seen: Vec<_> = some.map(|&port| (port, self.state(port))).collect();
        self.next += seen.len();
        (!seen.is_empty()).then_some(seen)
    }

    fn state(&mut self, port: Port) -> PortState {
        match probe::probe(Protocol::Tcp, port, &[self.address.ip]) {
            Ok(probe::PortState::Free | probe::PortState::Lingering) => PortState::Closed,
            // Without a socket of its own the port is forwarded to a server that answers.
            Ok(probe::PortState::Taken) => self.by_tables(port).unwrap_or(PortState::Open),
            Err(ProbeError::Denied { .. }) if self.has_tables() => self.by_tables(port).unwrap_or(PortState::Closed),
            Err(_) => PortState::Filtered,
        }
    }

    fn has_tables(&mut self) -> bool {
        self.read().is_some()
    }

    /// What the sockets on the port do; none when there are none.
    fn by_tables(&mut self, port: Port) -> Option<PortState> {
        let ip = self.address.ip;
        let occupants = self.read()?.occupants(port, &[ip]);
        let listening = occupants.iter().any(|occupant| occupant.state == SocketState::Listening);
        let bound = occupants.iter().any(|occupant| occupant.state != SocketState::Remnant);
        if listening { Some(PortState::Open) } else { bound.then_some(PortState::Bound) }
    }

    fn read(&mut self) -> Option<&Sockets> {
        self.tables.get_or_insert_with(|| Sockets::read(Protocol::Tcp).ok()).as_ref()
    }
}

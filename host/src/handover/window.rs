//! The gate without notifications: open while no server listens, closed as soon as one does (Linux).
//!
//! The kernel does not tell when a socket begins or ceases to listen, so its tables are read again and again.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::kept::GuardedPort;
use super::{HandoverDriver, Method, RunEvent};
use crate::model::{Guarantee, Protocol};
use crate::probe::{Occupant, Processes, SocketState, Sockets};

/// How often the tables are read: a server that comes back may find the gate closed for so long.
const INTERVAL: Duration = Duration::from_millis(25);

/// Ports whose servers bind beside our sockets, if they set `SO_REUSEADDR`.
#[derive(Debug)]
pub(crate) struct Window {
    ports: Vec<(GuardedPort, Vec<IpAddr>)>,
    /// The listeners that were there at the last look.
    known: HashSet<u64>,
    started: Instant,
    patience: Duration,
    warned: bool,
}

impl Window {
    /// Opens the gates.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(ports: Vec<GuardedPort>, patience: Duration) -> std::io::Result<Self> {
        for kept in ports.iter().flat_map(|port| &port.sockets) {
            kept.socket.set_reuse_address(true)?;
        }
        let addresses = |port: &GuardedPort| port.sockets.iter().map(|kept| kept.address.ip()).collect();
        let ports = ports.into_iter().map(|port| (addresses(&port), port)).map(|(addresses, port)| (port, addresses));
        Ok(Self { ports: ports.collect(), known: HashSet::new(), started: Instant::now(), patience, warned: false })
    }
}

impl HandoverDriver for Window {
    fn look(&mut self, now: Instant, news: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        // Should the tables be closed for once, the next look may have more luck.
        let Ok(sockets) = Sockets::read(Protocol::Tcp) else { return Some(INTERVAL) };
        let mut seen = HashSet::new();
        let mut unserved = Vec::new();
        for (port, addresses) in &self.ports {
            let listening = |occupant: &Occupant| occupant.state == SocketState::Listening;
            let listeners: Vec<_> = sockets.occupants(port.port, addresses).into_iter().filter(listening).collect();
            let closed = !listeners.is_empty();
            for kept in &port.sockets {
                let _ = kept.socket.set_reuse_address(!closed);
            }
            if !closed {
                unserved.push(port.port);
            }
            for Occupant { address, inode, uid, .. } in listeners {
                let Some(inode) = inode else { continue };
                if seen.insert(inode) && !self.known.contains(&inode) {
                    let pid = Processes::read().of(inode, uid).map_or(0, |process| process.pid);
                    let address = SocketAddr::new(address, port.port.get());
                    let (protocol, method, guarantee) = (Protocol::Tcp, Method::Gated, Guarantee::Soft);
                    news(RunEvent::HandedOver { protocol, address, method, guarantee, pid });
                }
            }
        }
        self.known = seen;
        if !self.warned && now.saturating_duration_since(self.started) >= self.patience {
            self.warned = true;
            if !unserved.is_empty() {
                news(RunEvent::NotReady { ports: unserved, after: self.patience });
            }
        }
        Some(INTERVAL)
    }
}

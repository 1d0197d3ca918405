//! A gate that is open while no server listens, because a server has to bind through it that cannot be watched (Linux).
//!
//! The kernel does not report when a socket starts or stops listening, so its tables are read again and again: often while something
//! happens, and seldom later.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::kept::{GuardSocket, GuardedPort, Reach};
use super::{Method, RunEvent};
use crate::model::Guarantee;
use crate::probe::{Processes, SocketState, Sockets};

/// How often the tables are read at first, and at last.
const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_secs(1);

/// The open gate of one port: a server may bind and listen beside our sockets if it sets `SO_REUSEADDR`.
#[derive(Debug)]
pub(crate) struct Gate {
    addresses: Vec<IpAddr>,
    /// The listeners that were there at the last look.
    known: HashSet<u64>,
    changed: Instant,
    /// Whether there ever was one.
    pub(crate) had_server: bool,
}

impl Gate {
    /// Opens the gate: nothing of ours that no server has listens anymore, and everything lets servers in.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn open(port: &GuardedPort) -> std::io::Result<Self> {
        for kept in port.sockets.iter().filter(|kept| !kept.has_server()) {
            kept.refuse();
            kept.socket.set_reuse_address(true)?;
        }
        let addresses = port.sockets.iter().map(|kept| kept.address.ip()).collect();
        Ok(Self { addresses, known: HashSet::new(), changed: Instant::now(), had_server: false })
    }

    /// Closes the gate for good: the port has a server that was watched.
    pub(crate) fn close(&self, port: &GuardedPort) {
        port.sockets.iter().filter(|kept| !kept.listens()).for_each(GuardSocket::close_gate);
    }

    /// Opens or closes the gate, depending on what listens now; returns whether anything does. It stays open beside the listener,
    /// which keeps all others out by itself, so that it is open already when a server comes back.
    pub(crate) fn look(&mut self, port: &GuardedPort, sockets: &Sockets, news: &mut dyn FnMut(RunEvent)) -> bool {
        let mut listeners = sockets.occupants(port.port, &self.addresses);
        listeners.retain(|occupant| occupant.state == SocketState::Listening);
        for kept in port.sockets.iter().filter(|kept| !kept.listens()) {
            let beside = |address: IpAddr| Reach::new(SocketAddr::new(address, 0), true).overlaps(kept.reach());
            let open = listeners.is_empty() || listeners.iter().any(|listener| beside(listener.address));
            let _ = kept.socket.set_reuse_address(open);
        }
        let seen: HashSet<u64> = listeners.iter().filter_map(|listener| listener.inode).collect();
        for listener in &listeners {
            let Some(inode) = listener.inode.filter(|inode| !self.known.contains(inode)) else { continue };
            let pid = Processes::read().of(inode, listener.uid).map_or(0, |process| process.pid);
            news(RunEvent::HandedOver {
                protocol: port.protocol,
                address: SocketAddr::new(listener.address, port.port.get()),
                method: Method::Gated,
                guarantee: Guarantee::Soft,
                pid,
                why: None,
            });
        }
        if seen != self.known {
            self.changed = Instant::now();
            self.known = seen;
        }
        self.had_server |= !listeners.is_empty();
        !listeners.is_empty()
    }

    /// When to look again: the longer nothing happens, the less often.
    pub(crate) fn interval(&self, now: Instant) -> Duration {
        (now.saturating_duration_since(self.changed) / 16).clamp(SHORTEST, LONGEST)
    }
}

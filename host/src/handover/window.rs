//! The gates of a command none of whose binds can be watched (Linux).

use std::time::{Duration, Instant};

use super::gate::Gate;
use super::kept::GuardedPort;
use super::{HandoverDriver, RunEvent};
use crate::model::Protocol;
use crate::probe::Sockets;

/// Ports whose servers bind beside our sockets, if they set `SO_REUSEADDR`.
#[derive(Debug)]
pub(crate) struct Window {
    ports: Vec<(GuardedPort, Gate)>,
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
        let gate = |port: GuardedPort| Gate::open(&port).map(|gate| (port, gate));
        let ports = ports.into_iter().map(gate).collect::<std::io::Result<_>>()?;
        // Zero asks for no waiting, and so for no word about it.
        Ok(Self { ports, started: Instant::now(), patience, warned: patience.is_zero() })
    }
}

impl HandoverDriver for Window {
    fn look(&mut self, now: Instant, news: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        // Should the tables be closed for once, the next look may have more luck.
        if let Ok(sockets) = Sockets::read_listeners(Protocol::Tcp) {
            let mut unserved = Vec::new();
            for (port, gate) in &mut self.ports {
                if !gate.look(port, &sockets, news) {
                    unserved.push(port.port);
                }
            }
            if !self.warned && now.saturating_duration_since(self.started) >= self.patience {
                self.warned = true;
                if !unserved.is_empty() {
                    news(RunEvent::NotReady { ports: unserved, after: self.patience });
                }
            }
        }
        self.ports.iter().map(|(_, gate)| gate.interval(now)).min()
    }

    fn was_bound(&self) -> bool {
        self.ports.iter().any(|(_, gate)| gate.had_server)
    }
}

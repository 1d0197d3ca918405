//! Sockets that the command was started with (Linux).

use std::path::Path;
use std::time::{Duration, Instant};

use super::adopt::INTERVAL;
use super::family::Member;
use super::kept::GuardedPort;
use super::{HandoverDriver, Run, RunEvent};

/// Programs that start others. The sockets are meant for one process (`LISTEN_PID`), and what those start ignores them.
const STARTERS: [&str; 17] = [
    "ash", "bash", "bun", "busybox", "dash", "fish", "honcho", "just", "ksh", "make", "npm", "npx", "pnpm", "sh",
    "task", "yarn", "zsh",
];

/// Sockets that the child was started with. Should all that had them close them, clients are refused.
#[derive(Debug)]
pub(crate) struct Inherited {
    ports: Vec<GuardedPort>,
    patience: Duration,
    /// The child, if it may start others and not become one itself.
    starter: Option<u32>,
}

impl Inherited {
    pub(crate) fn new(run: &Run, ports: Vec<GuardedPort>, child: u32) -> Self {
        let name = run.command.first().map(Path::new).and_then(Path::file_name);
        let is_starter = name.and_then(|name| name.to_str()).is_some_and(|name| STARTERS.contains(&name));
        Self { ports, patience: run.ready_timeout, starter: is_starter.then_some(child) }
    }
}

impl HandoverDriver for Inherited {
    fn look(&mut self, now: Instant, news: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        for port in &mut self.ports {
            port.refuse_unserved(now, self.patience, self.patience);
        }
        let has_child = |pid: u32| super::family::members().iter().any(|Member { parent, .. }| *parent == pid);
        if let Some(pid) = self.starter.take_if(|pid| has_child(*pid)) {
            news(RunEvent::PassedThrough { pid });
        }
        Some(INTERVAL)
    }
}

//! Waits until a server listens, or until a port is free.
//!
//! The meaning is that of the Python package portend, where it had one: a port is *occupied* when any of its addresses takes a
//! connection, and *free* when none does. What portend could not see counts as well on this machine: a port that is bound without
//! listening is not free, and a socket behind which there is only portkeeper is no server.

mod check;
mod http;
mod simple;
mod target;

pub use http::Answer;
pub use simple::{assert_free, find_available_port, wait_free, wait_occupied};
pub use target::{Asked, Target, TargetError, Url};

use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;

use check::Check;

/// How long to wait between two looks, by default.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// The first pause. Each is twice the one before, up to the interval: what is about to happen is seen immediately.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// How long a name's addresses are good for: a container may appear, or come back with another one.
const RESOLVE_AGAIN: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A server accepts connections.
    Occupied,
    /// No server does, and no socket is bound to the port.
    Free,
}

/// What is waited for, and what counts.
#[derive(Clone, Copy)]
pub struct Condition<'a> {
    /// The state.
    pub state: State,
    /// For occupied ports: a path that the server has to answer with a status of 200 to 399 (RFC 9110, 15.3 and 15.4).
    pub http: Option<&'a str>,
    /// Whether a process only keeps ports for others, so that its sockets are no server.
    pub is_keeper: &'a dyn Fn(u32) -> bool,
    /// Whether a process takes connections for a container, in which the server may not be up yet.
    pub is_container_proxy: &'a dyn Fn(u32) -> bool,
    /// For occupied ports: what else to demand. The text says why not.
    pub demand: &'a dyn Fn(&Target) -> Result<(), String>,
}

impl<'a> Condition<'a> {
    /// The state, and nothing else.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self { state, http: None, is_keeper: &|_| false, is_container_proxy: &|_| false, demand: &|_| Ok(()) }
    }
}

impl fmt::Debug for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condition").field("state", &self.state).field("http", &self.http).finish_non_exhaustive()
    }
}

/// Why the wait was in vain.
#[derive(Debug, Error)]
pub enum WaitError {
    /// The target cannot be understood or found.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// These were not in the requested state when the time was up.
    #[error("{}", lines(.0))]
    Timeout(Vec<Unmet>),
}

/// A target that is not in the requested state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub struct Unmet {
    /// The host, as it was asked for.
    pub host: String,
    /// The port.
    pub port: crate::model::Port,
    /// Why.
    pub why: Why,
}

/// Why a target is not in the requested state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// No server accepts connections.
    NotBound,
    /// The port is in use.
    NotFree,
    /// The server answers the path with something else, or not at all.
    Http {
        /// The path.
        path: String,
        /// What it answered.
        answer: Answer,
    },
    /// A server listens, and no connection gets through.
    Full,
    /// The resolver does not know the host.
    Unresolved(String),
    /// A server accepts connections, but a demand is not met.
    Refused(String),
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, why } = self;
        match why {
            Why::NotBound => write!(f, "Port {port} not bound on {host}."),
            Why::NotFree => write!(f, "Port {port} not free on {host}."),
            Why::Http { path, answer: Answer::Status(status) } => {
                write!(f, "Port {port} on {host} answers GET {path} with {status}.")
            }
            Why::Http { path, answer: Answer::Tls } => {
                write!(f, "Port {port} on {host} speaks TLS, so GET {path} without it has no answer.")
            }
            Why::Http { path, answer: Answer::Nothing } => {
                write!(f, "Port {port} on {host} does not answer GET {path}.")
            }
            Why::Full => {
                write!(
                    f,
                    "Port {port} on {host} is bound, but takes no connections: its backlog is full, or a firewall drops them."
                )
            }
            Why::Unresolved(reason) => {
                write!(f, "Port {port} not found on {host}: the host cannot be resolved: {reason}.")
            }
            Why::Refused(why) => write!(f, "Port {port} on {host} is bound, but {why}."),
        }
    }
}

fn lines(misses: &[Unmet]) -> String {
    misses.iter().map(Unmet::to_string).collect::<Vec<_>>().join("\n")
}

/// Waits until every target was in the requested state once. Looks at least once, however short the timeout; without one it waits forever.
/// The names of hosts are resolved again and again meanwhile.
///
/// # Errors
/// [`WaitError::Timeout`].
pub fn wait(
    targets: &[Target],
    condition: &Condition<'_>,
    timeout: Option<Duration>,
    interval: Duration,
) -> Result<(), WaitError> {
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let left = || deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let mut pending = targets.to_vec();
    let mut resolved = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        if resolved.elapsed() >= RESOLVE_AGAIN {
            pending.iter_mut().for_each(|target| target.resolve_again(left()));
            resolved = Instant::now();
        }
        let check = Check::new(condition, deadline);
        let misses: Vec<(Target, Why)> =
            pending.into_iter().filter_map(|target| check.at(&target).err().map(|why| (target, why))).collect();
        if misses.is_empty() {
            return Ok(());
        }
        if left() == Some(Duration::ZERO) {
            return Err(WaitError::Timeout(misses.into_iter().map(|(target, why)| target.miss(why)).collect()));
        }
        pending = misses.into_iter().map(|(target, _)| target).collect();
        pause = pause.min(interval.max(FIRST_PAUSE));
        sleep(left().map_or(pause, |left| left.min(pause)));
        pause *= 2;
    }
}

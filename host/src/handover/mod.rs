//! Hands ports over to the server that they are kept for: starts it, and stays with it until it ends.
//!
//! Whoever frees a port and then starts a server loses it to whoever is faster. So the port is kept by sockets from before the server
//! starts until after it ends, and the server gets it in the best way that it and the system allow ([`Method`]).

#[cfg(target_os = "linux")]
mod adopt;
#[cfg(unix)]
mod driver;
#[cfg(unix)]
mod executable;
#[cfg(unix)]
mod fds;
#[cfg(target_os = "linux")]
mod kept;
#[cfg(unix)]
mod launch;
mod method;
#[cfg(target_os = "linux")]
mod orphans;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod supervise;
#[cfg(target_os = "linux")]
mod window;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(all(unix, not(target_os = "linux")))]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use crate::fs::describe;
use crate::hold::HeldPort;
use crate::model::{Guarantee, Port, Protocol};

#[cfg(unix)]
use driver::HandoverDriver;
pub use method::{Method, MethodError};

/// A command to run, and the ports that it is to have.
#[derive(Debug)]
pub struct Run {
    /// The program and its arguments. Never empty.
    pub command: Vec<OsString>,
    /// What its environment has besides ours.
    pub environment: Vec<(OsString, OsString)>,
    /// The ports.
    pub ports: Vec<RunPort>,
    /// How it shall get them; none: the best way that is safe for it here.
    pub handover: Option<Method>,
    /// How long clients wait for a server, while it starts and while it starts again, before they are refused.
    pub ready_timeout: Duration,
}

/// A port for a command.
#[derive(Debug)]
pub struct RunPort {
    /// What keeps it.
    pub held: HeldPort,
    /// What the command calls it (`LISTEN_FDNAMES`, sd_listen_fds(3)).
    pub name: String,
    /// Those of its addresses that the command is told. Only there clients wait for it, and only these sockets are passed: a client
    /// that tries another address is refused, and goes on to one of these.
    pub advertised: Vec<IpAddr>,
}

/// Something that happened on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEvent {
    /// The wanted or a better way is not possible.
    FellBack {
        /// Which one is not.
        from: Method,
        /// Why.
        why: String,
    },
    /// The command is about to run.
    Starting {
        /// Its pid.
        pid: u32,
        /// How it will get its ports.
        method: Method,
        /// What that is worth here.
        guarantee: Guarantee,
    },
    /// A server has a port.
    HandedOver {
        /// The protocol.
        protocol: Protocol,
        /// What the server has bound.
        address: SocketAddr,
        /// How it got it.
        method: Method,
        /// What that is worth.
        guarantee: Guarantee,
        /// The server.
        pid: u32,
    },
    /// Nothing has taken these ports in the time that there was.
    NotReady {
        /// The ports.
        ports: Vec<Port>,
        /// The time.
        after: Duration,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// Why a command was not run.
#[derive(Debug, Error)]
pub enum HandoverError {
    /// There is no such program.
    #[error("`{program}` was not found: check its spelling, and PATH")]
    NotFound {
        /// As it was asked for.
        program: String,
    },
    /// It cannot be executed.
    #[error("`{program}` cannot be run: {}", describe(.source))]
    NotExecutable {
        /// As it was asked for.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The one way that was asked for does not exist here.
    #[error("--handover {method} is not possible here: {why}; leave it out, and the best way that is will be taken")]
    Impossible {
        /// The way.
        method: Method,
        /// Why.
        why: String,
    },
    /// The system failed.
    #[error("{what}: {}", describe(.source))]
    Failed {
        /// At what.
        what: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// The caller did not agree to the start.
    #[error(transparent)]
    Refused(Box<dyn std::error::Error + Send + Sync>),
}

/// Whoever runs a command, and hears of it.
pub trait RunObserver {
    /// The child exists, but does not run its program yet: the moment to write down whose the ports are from now on.
    ///
    /// # Errors
    /// Whatever went wrong; then the program is not run.
    fn before_exec(&mut self, pid: u32) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

    /// Something happened.
    fn news(&mut self, news: RunEvent);
}

/// Runs the command, stays until it ends, and passes on to it every signal that is sent to this process.
///
/// It is what the process does from now on: all of its children are waited for, also those that it inherits (as pid 1, or because
/// their parents have ended).
///
/// # Errors
/// [`HandoverError`]; then the command was not run.
pub fn run(run: Run, witness: &mut dyn RunObserver) -> Result<Ended, HandoverError> {
    platform::run(run, witness)
}

fn failed(what: &'static str) -> impl FnOnce(io::Error) -> HandoverError {
    move |source| HandoverError::Failed { what, source }
}

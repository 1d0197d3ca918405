//! Hands ports over to the server that they are kept for: starts it, and stays with it until it ends.
//!
//! A program that frees a port and then starts a server loses it to any program that is faster. So the port is kept by sockets from
//! before the server starts until after it ends, and the server gets it in the best way that it and the system allow ([`Method`]).

#[cfg(unix)]
mod activation;
#[cfg(target_os = "linux")]
mod adopt;
#[cfg(unix)]
mod driver;
#[cfg(unix)]
mod executable;
#[cfg(target_os = "linux")]
mod family;
#[cfg(unix)]
mod fds;
#[cfg(target_os = "linux")]
mod gate;
#[cfg(target_os = "linux")]
mod inherited;
#[cfg(target_os = "linux")]
mod kept;
#[cfg(unix)]
mod launch;
#[cfg(target_os = "linux")]
mod leftovers;
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
use crate::os;

#[cfg(unix)]
use driver::HandoverDriver;
#[cfg(all(unix, feature = "cli"))]
pub(crate) use executable::find as find_program;
pub use method::{Method, MethodError};

/// The environment variable that distinguishes the processes of a command from others that the process that runs it had before.
pub(crate) const MARK: &str = "PORTKEEPER_RUN";

/// What the variable is for the command that this process runs; none where the process is not to be seen.
pub(crate) fn mark_of(keeper: u32) -> Option<OsString> {
    let started = os::process_id(keeper).ok().flatten()?.started;
    Some(format!("{keeper}.{started}").into())
}

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
    /// Whether clients may queue before the command has bound anything. A server that connects to its own port first, to see
    /// whether it is free, meets that queue and takes the port for used; so this is for servers that are known not to.
    pub queue_early: bool,
    /// How long clients wait for a server that starts again (and, with `queue_early`, for the first one) before they are refused.
    pub ready_timeout: Duration,
    /// How long what the command leaves behind has to end, once it was asked to (Linux).
    pub stop_timeout: Duration,
    /// Whether what the command leaves behind stays (Linux).
    pub keep_children: bool,
}

/// A port for a command.
#[derive(Debug)]
pub struct RunPort {
    /// What keeps it.
    pub held: HeldPort,
    /// What the command calls it (`LISTEN_FDNAMES`, sd_listen_fds(3)).
    pub name: String,
    /// Those of its addresses that are announced to the command. Clients wait for it only there, and only these sockets are passed: a
    /// client that tries another address is refused, and goes on to one of these.
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
        /// Why it was not by a better way; none: there is none, or another was asked for.
        why: Option<String>,
    },
    /// From now on these ports are kept less well than was said.
    SteppedDown {
        /// Their protocol.
        protocol: Protocol,
        /// The ports.
        ports: Vec<Port>,
        /// What it is worth now.
        guarantee: Guarantee,
        /// Why.
        why: String,
    },
    /// While a server of this port was away, the command itself was among the clients that waited for it. From now on none wait.
    NoQueue {
        /// The port.
        port: Port,
        /// The process that connected to it.
        pid: u32,
    },
    /// The sockets were passed to the command, which is no server but has started other programs.
    PassedThrough {
        /// The command.
        pid: u32,
    },
    /// Nothing has taken these ports in the time that there was.
    NotReady {
        /// The ports.
        ports: Vec<Port>,
        /// The time.
        after: Duration,
    },
    /// The server of these ports has gone, and none has come in the time that there was: clients wait no longer.
    NotBack {
        /// The ports.
        ports: Vec<Port>,
        /// The time.
        after: Duration,
    },
    /// The command failed, and none of its processes had bound one of these ports.
    NeverBound {
        /// The ports.
        ports: Vec<Port>,
    },
    /// Something that the command had left behind did not end when it was asked to, and was killed.
    Killed {
        /// The process.
        pid: u32,
        /// Its name.
        command: String,
        /// How long after that.
        after: Duration,
    },
    /// The command has ended, and what goes on may be its, but cannot be looked for (Linux).
    LeftUnseen {
        /// Its ports that have a listener; nothing keeps them anymore.
        ports: Vec<Port>,
        /// Why not.
        why: &'static str,
    },
    /// The command has ended, and this goes on.
    Left(LeftProcess),
}

/// A process that outlives the command and portkeeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftProcess {
    /// Its pid.
    pub pid: u32,
    /// Its name.
    pub command: String,
    /// Whether it has left the session of the command.
    pub own_session: bool,
    /// Whether it may be none of the command's, but of what this process had started before, so that it was not ended.
    pub uncertain: bool,
    /// The ports that it, or another process of its session, still has; nothing keeps them anymore.
    pub ports: Vec<Port>,
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

/// The caller that runs a command, and is notified of what happens.
pub trait RunObserver {
    /// The child exists, but does not run its program yet: the moment to write down whose the ports are from now on, and what that
    /// is worth.
    ///
    /// # Errors
    /// Whatever went wrong; then the program is not run.
    fn before_exec(&mut self, pid: u32, guarantee: Guarantee) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;

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

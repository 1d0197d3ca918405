//! What a choice depends on outside of the registry.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::fs::PathError;
use crate::hold::{HeldByFiles, HoldBackend, HoldError};
use crate::model::{Caller, Hold, HoldId, Moment, Place, Port, ProcessId, Project, Protocol};
use crate::os::{Liveness, inspect};
use crate::probe::{PortState, ProbeError, SocketState};

/// Clocks, processes, sockets and directories, as seen from one place.
pub trait World {
    /// Where we are.
    fn place(&self) -> &Arc<Place>;

    /// Both clocks, now.
    fn now(&self) -> Moment;

    /// Whether the kernel lets us have the port on all of the addresses.
    ///
    /// # Errors
    /// [`ProbeError`], for example when this user may not bind the port.
    fn probe(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError>;

    /// As [`World::probe`], for many ports together: from one look at all sockets, where that is possible. A port that a firewall forwards
    /// to a container looks free.
    ///
    /// # Errors
    /// As [`World::probe`].
    fn probe_from_tables(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
        self.probe(protocol, port, addresses)
    }

    /// Whether anything listens on the port, on any of the addresses. What cannot be seen counts as listening.
    fn is_listening(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> bool;

    /// Who uses the port, as far as it can be seen.
    fn occupied_by(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Vec<Occupied>;

    /// Whether a process of this place still runs.
    fn liveness(&self, process: &ProcessId) -> Liveness;

    /// Whether a network namespace of this boot of the machine is provably gone.
    fn is_network_gone(&self, inode: u64) -> bool {
        let _ = inode;
        false
    }

    /// Whether a project's directory is still there.
    fn presence(&self, project: &Project) -> Presence;

    /// The policy's good ports, each once.
    fn good_ports(&self, protocol: Protocol) -> Box<dyn Iterator<Item = Port> + '_>;

    /// On whose behalf we run.
    fn caller(&self) -> Option<Caller>;

    /// Whether the holder with this hold file lives.
    fn hold_file(&self, id: HoldId) -> Liveness;

    /// What the living holders of this registry hold, except for those with these hold files.
    ///
    /// # Errors
    /// Their files could not be read.
    fn held(&self, except: &HashSet<HoldId>) -> Result<HeldByFiles, PathError>;

    /// Makes a holder let go of these ports of its. When this returns, the kernel has them back.
    ///
    /// # Errors
    /// [`HoldError`]: it does not answer, or holds for itself.
    fn release_hold(&self, hold: &Hold, ports: &[(Protocol, Port)]) -> Result<(), HoldError>;

    /// Removes what holders left that died too early for the registry to know them. Only within a transaction.
    ///
    /// # Errors
    /// Their files could not be listed.
    fn sweep(&self) -> Result<(), PathError>;

    /// What makes holds; none: requests for holds get reservations without.
    fn keeper(&self) -> Option<&dyn HoldBackend>;
}

/// A socket on a port, and the process that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// The socket's own address.
    pub address: SocketAddr,
    /// What it does there.
    pub state: SocketState,
    /// The user it belongs to; none where the platform does not report it. It is known for processes that cannot be seen as well.
    pub uid: Option<u32>,
    /// The process; none where this user may not see it.
    pub pid: Option<u32>,
    /// The process' name.
    pub command: Option<String>,
}

impl fmt::Display for Occupied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.command, self.pid) {
            (Some(command), Some(pid)) => write!(f, "{command} (pid {pid})")?,
            (None, Some(pid)) => write!(f, "pid {pid}")?,
            _ => match self.uid {
                Some(uid) => write!(f, "a process of user {} that this user may not see", inspect::user_text(uid))?,
                None => f.write_str("a process that this user may not see")?,
            },
        }
        write!(f, " is {} on {}", self.state, self.address)
    }
}

/// Whether a project's directory is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    There,
    /// It is provably gone.
    Gone,
    /// It cannot be seen: unmounted, unreadable, or its parent changed too.
    Unknown,
}

/// Looks for a project's directory. It is gone only if the system says that there is no such file while the parent is the very
/// directory that it was; anything else, such as an unmounted disk, proves nothing.
#[must_use]
pub fn presence(project: &Project) -> Presence {
    match std::fs::symlink_metadata(&project.path) {
        Ok(_) => Presence::There,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let parent = project.path.parent().and_then(Project::identity_of);
            if parent == Some(project.parent) { Presence::Gone } else { Presence::Unknown }
        }
        Err(_) => Presence::Unknown,
    }
}

//! What people want to know of a process.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use super::{is_keeper, project_directory};
use crate::os::inspect::{self, Container};
use crate::probe::Process;

/// What can be seen of a process now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct ProcessInfo {
    /// Its pid.
    pub pid: u32,
    /// Its name, as the kernel has it.
    pub command: String,
    /// Its arguments, the program's own name first.
    pub command_line: Vec<String>,
    /// The number of its effective user.
    pub uid: Option<u32>,
    /// What that user is called.
    pub user: Option<String>,
    /// The directory that it works in.
    pub directory: Option<PathBuf>,
    /// The project of that directory.
    pub project: Option<PathBuf>,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// Who started it, from its parent upwards, without pid 1.
    pub parents: Vec<Parent>,
    /// The container that it runs in, if another one than ours.
    pub container: Option<Container>,
    /// Whether it listens on behalf of containers, as `docker-proxy` does.
    pub container_proxy: bool,
    /// Whether it is portkeeper, which keeps the port for someone.
    pub keeper: bool,
    /// How many processes share the socket, this one included.
    pub sharers: usize,
}

/// A process that started another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Parent {
    /// Its pid.
    pub pid: u32,
    /// Its name.
    pub command: String,
}

impl ProcessInfo {
    /// Looks at the process.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        let pid = process.pid;
        let (uid, directory) = (inspect::user(pid), inspect::working_directory(pid));
        let parent = |pid| Some(Parent { pid, command: inspect::command(pid)? });
        Self {
            pid,
            command: process.command.clone(),
            command_line: inspect::command_line(pid).unwrap_or_default(),
            uid,
            user: uid.and_then(inspect::user_name),
            project: directory.as_deref().and_then(project_directory),
            directory,
            started: inspect::started(pid),
            parents: inspect::ancestors(pid).into_iter().filter(|&pid| pid != 1).filter_map(parent).collect(),
            container: inspect::container(pid),
            container_proxy: inspect::speaks_for_containers(pid),
            keeper: is_keeper(pid),
            sharers: process.sharers,
        }
    }
}

/// One line: `node (pid 4711) in /srv/shop, user anna, container docker 0123456789ab`.
impl fmt::Display for ProcessInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.command, self.pid)?;
        if let Some(directory) = &self.directory {
            write!(f, " in {}", directory.display())?;
        }
        match (&self.user, self.uid) {
            (Some(user), _) => write!(f, ", user {user}")?,
            (None, Some(uid)) => write!(f, ", user {uid}")?,
            (None, None) => {}
        }
        self.container.as_ref().map_or(Ok(()), |container| write!(f, ", container {container}"))
    }
}

//! Which programs a socket belongs to.

use std::collections::HashMap;

use crate::os::inspect;

/// A process that has a socket open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its name, as the kernel has it (`/proc/PID/comm`, proc(5)).
    pub command: String,
    /// How many processes share the socket, this one included: a server that forks shares it with its workers.
    pub sharers: usize,
}

/// The processes behind all sockets of this machine that this user may see, as they were at one moment.
#[derive(Debug, Clone, Default)]
pub struct Processes(HashMap<u64, Vec<u32>>);

impl Processes {
    /// Looks through the open files of every process (`/proc/PID/fd`, proc(5)), once for all sockets. On other platforms none is
    /// found.
    #[must_use]
    pub fn read() -> Self {
        Self(walk())
    }

    /// The process that people mean when they ask for the one behind the socket; none when this user cannot see it.
    ///
    /// Of several that share it, the oldest ancestor: the server, not its workers. What only keeps the socket for a server, portkeeper
    /// itself and service managers, comes after all others, and so does a process that was only sent the socket of `uid`.
    #[must_use]
    pub fn of(&self, inode: u64, uid: Option<u32>) -> Option<Process> {
        let sharers = self.sharers(inode);
        let keeps = |&pid: &u32| inspect::runs_our_program(pid) || inspect::manages_services(pid);
        let pid = match sharers {
            [] => return None,
            [only] => *only,
            all => {
                let owners: Vec<_> = all.iter().filter(|&&pid| may_serve(pid, uid)).copied().collect();
                let owners = if owners.is_empty() { all } else { &owners };
                let servers: Vec<_> = owners.iter().filter(|pid| !keeps(pid)).copied().collect();
                oldest_ancestor(if servers.is_empty() { owners } else { &servers })?
            }
        };
        // It may have ended since.
        Some(Process { pid, command: inspect::command(pid)?, sharers: sharers.len() })
    }

    /// The pids of all processes that have the socket open, ascending.
    #[must_use]
    pub fn sharers(&self, inode: u64) -> &[u32] {
        self.0.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Whether a process may be the server behind a socket of the user. A socket belongs to the user who opened it, and can be sent to any
/// process: another user's process that has it has not asked for it. Only root gives its privileges away once its sockets are open.
#[must_use]
pub fn may_serve(pid: u32, uid: Option<u32>) -> bool {
    uid.is_none_or(|uid| uid == 0 || inspect::runs_as(pid, uid))
}

/// Of some processes the one that the others come from. Where there are several (their parent has ended), the one that started
/// first. Pids do not show it, because they start anew.
fn oldest_ancestor(pids: &[u32]) -> Option<u32> {
    let comes_from_another = |&&pid: &&u32| inspect::ancestors(pid).iter().any(|ancestor| pids.contains(ancestor));
    let roots = pids.iter().filter(|pid| !comes_from_another(pid)).copied();
    roots.min_by_key(|&pid| (inspect::started(pid), pid))
}

#[cfg(not(target_os = "linux"))]
fn walk() -> HashMap<u64, Vec<u32>> {
    HashMap::new()
}

#[cfg(target_os = "linux")]
fn walk() -> HashMap<u64, Vec<u32>> {
    let mut found: HashMap<u64, Vec<u32>> = HashMap::new();
    for pid in pids() {
        for inode in socket_inodes(pid).unwrap_or_default() {
            let sharers = found.entry(inode).or_default();
            // One process may have several descriptors of a socket.
            if sharers.last() != Some(&pid) {
                sharers.push(pid);
            }
        }
    }
    found
}

#[cfg(target_os = "linux")]
fn pids() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

/// The links read `socket:[INODE]`. None for processes of others, which are closed to us, or that have ended meanwhile. Links
/// are read relative to their directory, because a browser alone has thousands.
#[cfg(target_os = "linux")]
fn socket_inodes(pid: u32) -> Option<Vec<u64>> {
    use rustix::fs::{CWD, Dir, Mode, OFlags, openat, readlinkat_raw};

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, format!("/proc/{pid}/fd"), flags, Mode::empty()).ok()?;
    let mut inodes = Vec::new();
    for entry in Dir::read_from(&directory).ok()?.flatten() {
        // `socket:[` and `]` around a number of 20 digits at most. Longer links are no sockets.
        let mut link = [0; 32];
        let Ok(length) = readlinkat_raw(&directory, entry.file_name(), &mut link) else { continue };
        let text = std::str::from_utf8(&link[..length]).unwrap_or_default();
        let inode = text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        inodes.extend(inode.and_then(|inode| inode.parse::<u64>().ok()));
    }
    Some(inodes)
}

//! Which program a socket belongs to.

use std::collections::HashMap;

/// A process that has a socket open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Its name, as the kernel has it (`/proc/PID/comm`, proc(5)).
    pub command: String,
}

/// The processes behind some sockets, as far as this user may see them.
#[derive(Debug, Clone, Default)]
pub struct Processes(HashMap<u64, Process>);

impl Processes {
    /// Looks for the processes that have the sockets with these inodes open, in one walk over `/proc/*/fd`. Of several, it is
    /// the one with the lowest pid, usually the server that the others come from. On other platforms none is found.
    #[must_use]
    pub fn behind(inodes: impl IntoIterator<Item = u64>) -> Self {
        Self(walk(inodes.into_iter().collect()))
    }

    /// The process that has the socket open; none when this user can't see it, or it was not asked for.
    #[must_use]
    pub fn of(&self, inode: u64) -> Option<&Process> {
        self.0.get(&inode)
    }
}

#[cfg(not(target_os = "linux"))]
fn walk(_: std::collections::HashSet<u64>) -> HashMap<u64, Process> {
    HashMap::new()
}

#[cfg(target_os = "linux")]
fn walk(mut wanted: std::collections::HashSet<u64>) -> HashMap<u64, Process> {
    let mut found = HashMap::new();
    for pid in pids() {
        if wanted.is_empty() {
            break;
        }
        for inode in socket_inodes(pid) {
            if wanted.remove(&inode) {
                found.insert(inode, Process { pid, command: command(pid) });
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

/// The links read `socket:[INODE]`. Nothing for processes of others, which are closed to us, or that have ended meanwhile.
#[cfg(target_os = "linux")]
fn socket_inodes(pid: u32) -> impl Iterator<Item = u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let link = std::fs::read_link(entry.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    })
}

#[cfg(target_os = "linux")]
fn command(pid: u32) -> String {
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned()
}

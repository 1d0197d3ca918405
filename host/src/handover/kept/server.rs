//! Which process has a socket open.

use std::fs;
use std::path::Path;

use crate::handover::family::{descendants, socket_inode};
use crate::os;

/// A descriptor of another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    /// The process; none when it may have the socket, but doesn't let us see.
    process: Option<(u32, i32)>,
}

impl Server {
    /// The descriptor `fd` of the process.
    pub(crate) fn new(pid: u32, fd: i32) -> Self {
        Self { process: Some((pid, fd)) }
    }

    /// Whether the descriptor still is the socket with this inode: one look.
    pub(crate) fn has(self, inode: u64) -> bool {
        self.process.is_some_and(|(pid, fd)| is_socket(Path::new(&format!("/proc/{pid}/fd/{fd}")), inode))
    }

    /// A process that comes from us and has the socket open. One that doesn't let us look counts, too: to take clients away from a
    /// server that is there would be worse than to keep them waiting for one that is not.
    pub(crate) fn find_below(inode: u64) -> Option<Self> {
        let me = std::process::id();
        if os::view_of_processes() != os::ProcView::Ours {
            return Some(Self { process: None });
        }
        match descendants(me) {
            Some(pids) => Self::find_among(&pids, inode, |_| true),
            None => Self::find(inode),
        }
    }

    /// The same among all processes: a socket may have been sent to any process (`SCM_RIGHTS`, unix(7)). That is a long look.
    pub(crate) fn find(inode: u64) -> Option<Self> {
        let me = std::process::id();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|&pid| pid != me);
        Self::find_among(&pids.collect::<Vec<_>>(), inode, |pid| comes_from(pid, me))
    }

    fn find_among(pids: &[u32], inode: u64, is_ours: impl Fn(u32) -> bool) -> Option<Self> {
        let mut hidden = None;
        for &pid in pids {
            let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else {
                hidden = hidden.or_else(|| (is_running(pid) && is_ours(pid)).then_some(Self { process: None }));
                continue;
            };
            if let Some(found) = descriptors.flatten().find(|entry| is_socket(&entry.path(), inode)) {
                return Some(Self::new(pid, found.file_name().to_str()?.parse().ok()?));
            }
        }
        hidden
    }
}

/// A process that has ended, but was not waited for yet, has nothing open and shows nothing either.
fn is_running(pid: u32) -> bool {
    // What cannot be looked at counts as running.
    os::process_id(pid).map_or(true, |found| found.is_some())
}

fn is_socket(link: &Path, inode: u64) -> bool {
    fs::read_link(link).is_ok_and(|target| socket_inode(&target) == Some(inode))
}

/// Whether the process was started by the other one, directly or through others. Orphans stay in the line, because the process
/// that hands over is their reaper (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
fn comes_from(mut pid: u32, ancestor: u32) -> bool {
    while pid > 1 && pid != ancestor {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok());
        match parent {
            Some(parent) => pid = parent,
            None => return false,
        }
    }
    pid == ancestor
}

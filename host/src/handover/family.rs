//! The processes that come from this one (Linux). Orphans stay among them, because it is their reaper (`PR_SET_CHILD_SUBREAPER`, prctl(2)).
//!
//! Not all of them need be the command's: a shell that has started others in the background may become this process (`exec`). Theirs are
//! adopted as well, and nothing that the kernel reports about an orphan says what its parent was. So in this case, and only in this, what
//! comes from the command has a mark in its environment.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, getpgid, getpgrp, getsid, test_kill_process, waitid};

use super::{MARK, mark_of};
use crate::os::{ProcView, inspect, view_of_processes};

/// The process group and the session that a command was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    groups: [u32; 2],
    sessions: [u32; 2],
}

/// What `/proc/PID/stat` says of a process (proc_pid_stat(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// In ticks since the boot: with the pid it is one process for good.
    pub(crate) started: u64,
    has_ended: bool,
}

impl Origin {
    /// Where a command is that this process starts.
    pub(crate) fn of_this_process() -> Self {
        let session = getsid(None).map_or(0, number);
        Self { groups: [number(getpgrp()); 2], sessions: [session; 2] }
    }

    /// Looks where the command is now, which it may be asked until it is waited for.
    pub(crate) fn look(&mut self, command: Pid) {
        if let (Ok(group), Ok(session)) = (getpgid(Some(command)), getsid(Some(command))) {
            self.groups[1] = number(group);
            self.sessions[1] = number(session);
        }
    }

    /// Whether the process has stayed where the command was, rather than made a session of its own as daemons do.
    pub(crate) fn has(self, member: &Member) -> bool {
        self.groups.contains(&member.group) || self.sessions.contains(&member.session)
    }
}

fn number(pid: Pid) -> u32 {
    pid.as_raw_nonzero().get().unsigned_abs()
}

impl Member {
    /// What is to be seen of the process now; none when it has ended.
    pub(crate) fn look(pid: u32) -> Option<Self> {
        // Its name is any bytes.
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        // The name in parentheses may itself hold spaces and parentheses.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let id = |number| field(number)?.parse().ok();
        let has_ended = matches!(field(3), Some("Z" | "X"));
        let started = field(22)?.parse().ok()?;
        Some(Self { pid, parent: id(4)?, group: id(5)?, session: id(6)?, started, has_ended })
    }
}

/// The process that is a part of portkeeper, and none of the command's; 0: there is none.
static HELPER: AtomicU32 = AtomicU32::new(0);

/// From now on this process does not count.
pub(crate) fn leave_out(helper: u32) {
    HELPER.store(helper, Ordering::Relaxed);
}

/// What was there before the command, where anything was.
struct Earlier {
    /// By pid and start time.
    processes: HashSet<(u32, u64)>,
    /// What the command's processes are marked with.
    mark: OsString,
}

static EARLIER: OnceLock<Earlier> = OnceLock::new();

/// Looks, before the command is started, whether this process has children already. Gives what the environment of the command needs then
/// so that its processes can be distinguished from theirs.
pub(crate) fn mark_unless_alone() -> Option<(OsString, OsString)> {
    if !has_children() {
        return None;
    }
    let mark = mark_of(std::process::id())?;
    let processes = || all().iter().map(|member| (member.pid, member.started)).collect();
    let earlier = EARLIER.get_or_init(|| Earlier { processes: processes(), mark });
    Some((MARK.into(), earlier.mark.clone()))
}

/// Whose a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origination {
    /// It comes from the command.
    Command,
    /// It was there before, or comes from what was.
    Earlier,
    /// Its parents have ended, and it has no mark: it has cleared or overwritten its environment, or is one of the earlier ones.
    Unknown,
}

/// All that come from the command and still run, as far as they can be seen.
pub(crate) fn members() -> Vec<Member> {
    let all = all_with_origination().into_iter();
    all.filter(|(_, origination)| *origination == Origination::Command).map(|(member, _)| member).collect()
}

/// All that come from this process and still run, and whose they are.
pub(crate) fn all_with_origination() -> Vec<(Member, Origination)> {
    let all = all();
    let Some(Earlier { processes, mark }) = EARLIER.get() else {
        return all.into_iter().map(|member| (member, Origination::Command)).collect();
    };
    let known: HashMap<u32, Member> = all.iter().map(|member| (member.pid, *member)).collect();
    let is_marked = |member: &Member| inspect::variable(member.pid, MARK).as_ref() == Some(mark);
    let origination = |member: Member| {
        let mut line = std::iter::successors(Some(member), |member| known.get(&member.parent).copied());
        let of = |member: Member| match processes.contains(&(member.pid, member.started)) {
            true => Some(Origination::Earlier),
            false => is_marked(&member).then_some(Origination::Command),
        };
        // The nearest that is known decides.
        line.find_map(of).unwrap_or(Origination::Unknown)
    };
    all.into_iter().map(|member| (member, origination(member))).collect()
}

/// All that come from this process and still run, as far as they can be seen, whatever has started them.
pub(crate) fn all() -> Vec<Member> {
    if !has_children() || view_of_processes() != ProcView::Ours {
        return Vec::new();
    }
    let me = std::process::id();
    let pids = descendants(me).unwrap_or_else(|| found_by_parents(me));
    pids.into_iter().filter_map(Member::look).filter(|member| !member.has_ended).collect()
}

/// Why there may be more than [`all`] finds; none: there is not.
pub(crate) fn unseen() -> Option<&'static str> {
    // With the first process of a pid namespace all others end.
    if std::process::id() == 1 || !has_children() {
        return None;
    }
    match view_of_processes() {
        ProcView::Foreign => Some("/proc shows another pid namespace here (unshare --mount-proc)"),
        ProcView::Missing => Some("/proc is not mounted here"),
        ProcView::Ours => {
            let is_hidden = |pid: &u32| Member::look(*pid).is_none() && exists(*pid);
            let hidden = descendants(std::process::id())?.iter().any(is_hidden);
            hidden.then_some("/proc hides the processes of other users here (hidepid)")
        }
    }
}

fn exists(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

/// Whether there are any: a process that comes from this one and has lost its parent becomes its child. One call, and most often the last.
fn has_children() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::All, look).err() != Some(Errno::CHILD)
}

/// All processes that come from this one (`/proc/PID/task/TID/children`, proc_tid_children(5)); none where the kernel does not list them.
pub(crate) fn descendants(pid: u32) -> Option<Vec<u32>> {
    let mut found = children(pid)?;
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid).unwrap_or_default());
        next += 1;
    }
    Some(found)
}

fn children(pid: u32) -> Option<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let line = fs::read_to_string(thread.path().join("children")).ok()?;
        let pids = line.split_ascii_whitespace().filter_map(|pid| pid.parse::<u32>().ok());
        children.extend(pids.filter(|&pid| pid != HELPER.load(Ordering::Relaxed)));
    }
    Some(children)
}

/// The inodes of all sockets that a process has open (proc_pid_fd(5)), as far as this user may see them.
pub(crate) fn socket_inodes(pid: u32) -> impl Iterator<Item = u64> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    descriptors.filter_map(|entry| socket_inode(&fs::read_link(entry.path()).ok()?))
}

/// The inode in a link that reads `socket:[INODE]`.
pub(crate) fn socket_inode(link: &Path) -> Option<u64> {
    link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The same by asking every process for its parent.
fn found_by_parents(ancestor: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parents: HashMap<u32, u32> = pids.filter_map(Member::look).map(|member| (member.pid, member.parent)).collect();
    let helper = HELPER.load(Ordering::Relaxed);
    let comes_from_us = |&pid: &u32| {
        let mut line = std::iter::successors(parents.get(&pid), |parent| parents.get(parent));
        line.any(|&parent| parent == ancestor)
    };
    parents.keys().copied().filter(|&pid| pid != helper).filter(comes_from_us).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_found_both_ways_and_is_where_we_are() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let me = std::process::id();
        assert!(found_by_parents(me).contains(&child.id()));
        assert!(members().iter().any(|member| member.pid == child.id()));
        let member = Member::look(child.id()).unwrap();
        assert_eq!(member.parent, me);
        assert!(Origin::of_this_process().has(&member));
        assert!(!Origin::of_this_process().has(&Member { group: child.id(), session: child.id(), ..member }));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(members().iter().all(|member| member.pid != child.id()));
    }
}

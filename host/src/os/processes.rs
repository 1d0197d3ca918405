//! Processes on macOS and Windows. Their start time is in whole seconds of the wall clock.

use std::process::id;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::model::{Caller, ProcessId};

/// Runs the function on the process; none when there is no such process, or it has ended, or this user may not see it.
fn with<T>(pid: u32, read: impl FnOnce(&Process) -> T) -> Option<T> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    let running = |process: &&Process| !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    system.process(pid).filter(running).map(read)
}

pub(super) fn process_id(pid: u32) -> Option<ProcessId> {
    // 0 is what sysinfo gives when the system does not tell.
    with(pid, Process::start_time).filter(|&started| started != 0).map(|started| ProcessId { pid, started })
}

/// Whether there is such a process, whatever this user may know of it.
#[cfg(windows)]
pub(super) fn is_listed(pid: u32) -> bool {
    with(pid, |_| ()).is_some()
}

pub(super) fn parent() -> Option<Caller> {
    let parent = with(id(), Process::parent)??.as_u32();
    with(parent, |process| Caller { pid: parent, command: process.name().to_string_lossy().into_owned() })
}

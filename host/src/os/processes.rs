//! Processes on macOS and Windows. Their start time is in whole seconds of the wall clock.

use std::io;
use std::process::id;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::fs::{PathContext, PathError};
use crate::model::{Caller, ProcessId};

/// Runs the function on the process; none when there is no such process, or it has ended, or this user may not see it.
fn with<T>(pid: u32, read: impl FnOnce(&Process) -> T) -> Result<Option<T>, PathError> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().map_err(|_| io::Error::other("cannot be read")).at("the list of processes")?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
    let running = |process: &&Process| !matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead);
    Ok(system.process(pid).filter(running).map(read))
}

pub(super) fn process_id(pid: u32) -> Result<Option<ProcessId>, PathError> {
    // sysinfo gives 0 when the system does not report it.
    let started = with(pid, Process::start_time)?.filter(|&started| started != 0);
    Ok(started.map(|started| ProcessId { pid, started }))
}

/// Whether there is such a process, whatever this user may know of it. Not to be seen is to be there.
#[cfg(windows)]
pub(super) fn is_listed(pid: u32) -> bool {
    with(pid, |_| ()).map_or(true, |found| found.is_some())
}

pub(super) fn parent() -> Option<Caller> {
    let parent = with(id(), Process::parent).ok()???.as_u32();
    with(parent, |process| Caller { pid: parent, command: process.name().to_string_lossy().into_owned() }).ok()?
}

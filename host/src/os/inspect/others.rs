//! macOS and Windows, through sysinfo. Containers are not reported: there they run in a virtual machine.

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Runs the function on the process; none when there is no such process, or this user may not see it.
fn with<T>(pid: u32, what: ProcessRefreshKind, read: impl FnOnce(&Process) -> Option<T>) -> Option<T> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new().ok()?;
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
    system.process(pid).and_then(read)
}

pub(super) fn command(pid: u32) -> Option<String> {
    with(pid, ProcessRefreshKind::nothing(), |process| Some(process.name().to_string_lossy().into_owned()))
}

pub(super) fn command_line(pid: u32) -> Option<Vec<String>> {
    let what = ProcessRefreshKind::nothing().with_cmd(UpdateKind::Always);
    with(pid, what, |process| Some(process.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect()))
}

pub(super) fn working_directory(pid: u32) -> Option<PathBuf> {
    let what = ProcessRefreshKind::nothing().with_cwd(UpdateKind::Always);
    with(pid, what, |process| process.cwd().map(PathBuf::from))
}

#[cfg(unix)]
pub(super) fn user(pid: u32) -> Option<u32> {
    let what = ProcessRefreshKind::nothing().with_user(UpdateKind::Always);
    with(pid, what, |process| process.effective_user_id().or_else(|| process.user_id()).map(|user| **user))
}

#[cfg(not(unix))]
pub(super) fn user(_: u32) -> Option<u32> {
    None
}

/// Only on Linux is it known which process has a port, so nothing asks.
pub(super) fn children(_: u32) -> Vec<u32> {
    Vec::new()
}

pub(super) fn runs_as(pid: u32, uid: u32) -> bool {
    user(pid) == Some(uid)
}

pub(super) fn program(pid: u32) -> Option<String> {
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    with(pid, what, |process| Some(process.exe()?.file_name()?.to_string_lossy().into_owned()))
}

/// In whole seconds of the wall clock; sysinfo gives 0 when the system does not report it.
pub(super) fn started(pid: u32) -> Option<Timestamp> {
    let seconds = with(pid, ProcessRefreshKind::nothing(), |process| Some(process.start_time()))?;
    i64::try_from(seconds).ok().filter(|&seconds| seconds != 0).and_then(|seconds| Timestamp::from_second(seconds).ok())
}

pub(super) fn parent_of(pid: u32) -> Option<u32> {
    with(pid, ProcessRefreshKind::nothing(), |process| process.parent().map(Pid::as_u32)).filter(|&parent| parent != 0)
}

/// Only on Linux are commands marked.
pub(super) fn variable(_: u32, _: &str) -> Option<OsString> {
    None
}

pub(super) fn control_groups(_: u32) -> Option<String> {
    None
}

pub(super) fn runs_our_program(pid: u32) -> bool {
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    let theirs = with(pid, what, |process| process.exe().map(PathBuf::from));
    theirs.is_some() && theirs == std::env::current_exe().ok()
}

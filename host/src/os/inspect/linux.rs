//! Everything stands in `/proc/PID` (proc(5)).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

pub(super) fn command(pid: u32) -> Option<String> {
    let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned())
}

/// The arguments end with a zero byte each. What a process has written over them counts as one.
pub(super) fn command_line(pid: u32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let trimmed = bytes.strip_suffix(&[0]).unwrap_or(&bytes);
    if trimmed.is_empty() {
        return Some(Vec::new());
    }
    Some(trimmed.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).trim().to_owned()).collect())
}

pub(super) fn variable(pid: u32, name: &str) -> Option<OsString> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let value = |line: &[u8]| Some(line.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_owned());
    environment.split(|&byte| byte == 0).find_map(value).map(OsString::from_vec)
}

/// A directory that was removed reads `/old/path (deleted)`, which is as good an answer as there is.
pub(super) fn working_directory(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The effective one.
pub(super) fn user(pid: u32) -> Option<u32> {
    users(pid)?.get(1).copied()
}

pub(super) fn runs_as(pid: u32, uid: u32) -> bool {
    users(pid).is_some_and(|users| users.contains(&uid))
}

/// From `status`: the owner of the directory itself is root for a process that may not be dumped (proc_pid(5)).
fn users(pid: u32) -> Option<Vec<u32>> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    users.split_ascii_whitespace().map(|uid| uid.parse().ok()).collect()
}

/// A file that was replaced meanwhile, as by an update, reads `/usr/bin/dockerd (deleted)`.
pub(super) fn program(pid: u32) -> Option<String> {
    let path = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let name = path.file_name()?.to_string_lossy().into_owned();
    Some(name.strip_suffix(" (deleted)").map(str::to_owned).unwrap_or(name))
}

/// Counted in ticks since the boot; how long ago that was says the clock that counts sleep as well.
pub(super) fn started(pid: u32) -> Option<Timestamp> {
    let ticks = stat_field(pid, 22)?;
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    let after_boot = Duration::from_millis(ticks.saturating_mul(1_000) / per_second);
    let now = crate::os::now();
    let age = SignedDuration::try_from(now.since_boot.saturating_sub(after_boot)).ok()?;
    now.wall.checked_sub(age).ok()
}

pub(super) fn parent_of(pid: u32) -> Option<u32> {
    // 0: it has none in this pid namespace.
    stat_field(pid, 4).and_then(|parent| u32::try_from(parent).ok()).filter(|&parent| parent != 0)
}

pub(super) fn children(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&child| parent_of(child) == Some(pid) && command_line(child).is_some_and(|words| !words.is_empty()))
        .collect()
}

/// A numeric field of `stat` (proc_pid_stat(5)), counted from 1. The second is the name in parentheses, which may itself hold
/// spaces and parentheses.
fn stat_field(pid: u32, number: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}

pub(super) fn control_groups(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()
}

/// By device and inode, which are the same through every link and mount of the file, also when it was replaced on disk.
pub(super) fn runs_our_program(pid: u32) -> bool {
    let program = |pid: &str| fs::metadata(format!("/proc/{pid}/exe")).map(|file| (file.dev(), file.ino())).ok();
    let ours = program("self");
    ours.is_some() && ours == program(&pid.to_string())
}

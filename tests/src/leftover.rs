//! Processes that a test leaves behind.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Far more than any process needs that was asked to end.
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

/// Waits until the processes have ended that have the directory in their environment: those whose parent was killed take an instant to
/// notice, and would write into a directory that is gone. Gives the command of one that does not end.
pub(crate) fn wait_for_all(directory: &Path) -> Result<(), String> {
    while let Some((process, proc)) = find(directory) {
        let ended = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE)).is_ok_and(|ready| ready > 0);
        if !ended {
            let command = fs::read(proc.join("cmdline")).unwrap_or_default();
            return Err(String::from_utf8_lossy(&command).replace('\0', " "));
        }
    }
    Ok(())
}

/// One that still runs, and its directory in `/proc`. A zombie has no environment any more.
fn find(directory: &Path) -> Option<(OwnedFd, PathBuf)> {
    let directory = directory.as_os_str().as_encoded_bytes();
    let running = |proc: PathBuf| {
        let pid = proc.file_name()?.to_str()?.parse().ok().and_then(Pid::from_raw)?;
        // First the handle, so that the process that is looked at is the one that is waited for.
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        let environment = fs::read(proc.join("environ")).ok()?;
        environment.windows(directory.len()).any(|part| part == directory).then_some((process, proc))
    };
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| running(entry.path()))
}

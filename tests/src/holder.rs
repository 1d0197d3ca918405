//! Holders, as a test sees them from outside.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde_json::Value;

/// A holder process. It is another program's child by now, so a test can only watch it and send it signals.
#[derive(Debug)]
pub struct HolderProcess {
    pid: u32,
    process: OwnedFd,
}

impl HolderProcess {
    /// The one that an answer of `reserve --hold` names.
    ///
    /// # Panics
    /// When the answer names none, or it does not run.
    #[must_use]
    #[track_caller]
    pub fn of(answer: &Value) -> Self {
        let pid = answer["holder"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        Self::with_pid(pid.unwrap_or_else(|| panic!("no holder in {answer}")))
            .unwrap_or_else(|| panic!("no process: {answer}"))
    }

    /// The process with this pid, if it runs.
    #[must_use]
    pub fn with_pid(pid: u32) -> Option<Self> {
        let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { pid, process: pidfd_open(raw, PidfdFlags::empty()).ok()? })
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it a signal. One that has ended gets none.
    pub fn signal(&self, signal: Signal) {
        let _ = pidfd_send_signal(&self.process, signal);
    }

    /// Kills it with SIGKILL, and waits for its end.
    #[track_caller]
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        self.ends();
    }

    /// Whether it runs.
    #[must_use]
    pub fn runs(&self) -> bool {
        !self.has_ended_within(Duration::ZERO)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When that takes 20 seconds.
    #[track_caller]
    pub fn ends(&self) {
        assert!(self.has_ended_within(Duration::from_secs(20)), "holder {} still runs", self.pid);
    }

    /// Whether it ends within 20 seconds.
    #[must_use]
    pub fn soon_ends(&self) -> bool {
        self.has_ended_within(Duration::from_secs(20))
    }

    fn has_ended_within(&self, patience: Duration) -> bool {
        let patience = Timespec { tv_sec: i64::try_from(patience.as_secs()).unwrap_or_default(), tv_nsec: 0 };
        poll(&mut [PollFd::new(&self.process, PollFlags::IN)], Some(&patience)).is_ok_and(|ready| ready > 0)
    }

    /// What its descriptors lead to.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn open_files(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid)).expect("its descriptors");
        entries
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()?.into_os_string().into_string().ok())
            .collect()
    }

    /// A link in its directory of `/proc`: `cwd`, `exe`.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn link(&self, name: &str) -> PathBuf {
        fs::read_link(format!("/proc/{}/{name}", self.pid)).expect("a link")
    }

    /// Its memory that belongs to no file, in KiB (`Anonymous`, proc_pid_smaps(5)). What it does not share (`Private_Dirty`) would be a
    /// program's own code as well, as long as the linker's file is not yet on the disk.
    ///
    /// # Panics
    /// When it has ended.
    #[must_use]
    pub fn own_memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid)).expect("its memory");
        let lines = text.lines().filter(|line| line.starts_with("Anonymous:"));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    }
}

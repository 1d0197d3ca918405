//! A hold on one process, so that nothing meant for it can reach a later one with its pid.

use std::io;
use std::time::Duration;

use crate::model::ProcessId;

/// One process, whatever becomes of its pid.
#[derive(Debug)]
pub struct Handle {
    id: ProcessId,
    platform: platform::Handle,
}

impl Handle {
    /// Takes hold of the process that has the pid now.
    ///
    /// # Errors
    /// There is no such process, or the system has no such thing (`pidfd_open`(2): Linux 5.3).
    pub fn open(pid: u32) -> io::Result<Self> {
        let platform = platform::Handle::open(pid)?;
        // Read after it was opened: if the process had ended before, this is another one, and the handle refers to an ended process.
        let id = super::process_id(pid).map_err(|error| error.source)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { id, platform })
    }

    /// The process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Asks it to end (SIGTERM, signal(7)). On Windows, where a process cannot be asked, it is ended.
    ///
    /// # Errors
    /// It belongs to another user. That it has ended is no error.
    pub fn ask_to_end(&self) -> io::Result<()> {
        self.platform.signal(&self.id, false)
    }

    /// Ends it (SIGKILL).
    ///
    /// # Errors
    /// As [`Handle::ask_to_end`].
    pub fn kill(&self) -> io::Result<()> {
        self.platform.signal(&self.id, true)
    }

    /// Waits until it has ended; whether it has.
    #[must_use]
    pub fn has_ended_within(&self, timeout: Duration) -> bool {
        self.platform.has_ended_within(&self.id, timeout)
    }
}

#[cfg(target_os = "linux")]
mod platform {
    use std::io;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::OwnedFd;
    use rustix::io::Errno;
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    use crate::model::ProcessId;
    use crate::os::{ProcView, view_of_processes};

    #[derive(Debug)]
    pub(super) struct Handle(OwnedFd);

    impl Handle {
        pub(super) fn open(pid: u32) -> io::Result<Self> {
            // Pids are read there, and the kernel would take them for others.
            if view_of_processes() == ProcView::Foreign {
                return Err(io::Error::other("/proc shows another pid namespace here, so its pids cannot be trusted"));
            }
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::NotFound)?;
            Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
        }

        pub(super) fn signal(&self, _: &ProcessId, kill: bool) -> io::Result<()> {
            match pidfd_send_signal(&self.0, if kill { Signal::KILL } else { Signal::TERM }) {
                Ok(()) | Err(Errno::SRCH) => Ok(()),
                Err(error) => Err(error.into()),
            }
        }

        /// A pidfd is readable once its process has ended, a zombie included (pidfd_open(2)).
        pub(super) fn has_ended_within(&self, _: &ProcessId, timeout: Duration) -> bool {
            let timeout = Timespec::try_from(timeout).ok();
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            poll(&mut fds, timeout.as_ref()).is_ok_and(|ready| ready > 0)
        }
    }
}

/// Elsewhere pid and start time have to do: what happens between the look and the signal cannot be excluded.
#[cfg(not(target_os = "linux"))]
mod platform {
    use std::io;
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, Signal, System};

    use crate::model::ProcessId;
    use crate::os::{Liveness, liveness};

    #[derive(Debug)]
    pub(super) struct Handle;

    impl Handle {
        #[expect(clippy::unnecessary_wraps, reason = "on Linux this fails")]
        pub(super) fn open(_: u32) -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn signal(&self, id: &ProcessId, kill: bool) -> io::Result<()> {
            if liveness(id) == Liveness::Ended {
                return Ok(());
            }
            let pid = Pid::from_u32(id.pid);
            let mut system = System::new().map_err(|_| io::ErrorKind::Unsupported)?;
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, ProcessRefreshKind::nothing());
            let Some(process) = system.process(pid) else { return Ok(()) };
            let asked = if kill { None } else { process.kill_with(Signal::Term) };
            let sent = asked.unwrap_or_else(|| process.kill());
            if sent { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
        }

        pub(super) fn has_ended_within(&self, id: &ProcessId, timeout: Duration) -> bool {
            let start = Instant::now();
            while liveness(id) != Liveness::Ended {
                if start.elapsed() >= timeout {
                    return false;
                }
                sleep(Duration::from_millis(20));
            }
            true
        }
    }
}

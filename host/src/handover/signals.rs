//! Signals that are sent to us are meant for the command.
//!
//! The command stays in our process group, as a program started by a shell does: what a terminal sends on Ctrl-C, Ctrl-Z or a new
//! window size, it sends to all of the group, and the kernel says so; that is not passed on a second time. What a process has sent, it
//! has sent to us alone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use libc::siginfo_t;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::signal::{
    SIGALRM, SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithRawSiginfo;
use signal_hook::low_level::emulate_default_handler;

/// What is passed on. The rest either cannot be caught or is about this process itself.
const RELAYED: [i32; 10] = [SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH];

/// Signals as something to poll for.
pub(crate) struct Signals(SignalDelivery<UnixStream, WithRawSiginfo>);

impl Signals {
    /// From now on signals come here. Those that this process was started to ignore (nohup(1)) are ignored by the command as well.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn catch() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        let caught = RELAYED.into_iter().filter(|&signal| !is_ignored(signal)).chain([SIGCHLD]);
        SignalDelivery::with_pipe(read, write, WithRawSiginfo, caught).map(Self)
    }

    /// Readable when there are any.
    pub(crate) fn waits_for(&self) -> BorrowedFd<'_> {
        self.0.get_read().as_fd()
    }

    /// Passes on what has come. Whether children may have ended.
    pub(crate) fn relay(&mut self, command: Pid) -> bool {
        let mut children = false;
        for info in self.0.pending() {
            let signal = info.si_signo;
            if signal == SIGCHLD {
                children = true;
                continue;
            }
            if is_from_process(&info) {
                // It may have ended just now.
                let _ = Signal::from_named_raw(signal).map(|signal| kill_process(command, signal));
            }
            if signal == SIGTSTP {
                // The shell waits for all of the job to stop.
                let _ = emulate_default_handler(SIGTSTP);
            }
        }
        children
    }
}

/// Makes signals what they are for any program that starts. Runs between fork and exec.
#[expect(unsafe_code, reason = "the crates set handlers, and don't take them away")]
pub(crate) fn reset() {
    for signal in RELAYED.into_iter().chain([SIGCHLD]) {
        if !is_ignored(signal) {
            // SAFETY: the default action needs nothing of ours.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

#[expect(unsafe_code, reason = "the crates don't tell what a signal does now")]
fn is_ignored(signal: i32) -> bool {
    // SAFETY: zero is a value for all of the fields; the call writes one structure, and with no new action changes nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Whether a process has sent it (kill(2)), rather than the kernel for a terminal (sigaction(2), `si_code`).
#[cfg(target_os = "linux")]
fn is_from_process(info: &siginfo_t) -> bool {
    /// asm-generic/siginfo.h.
    const SI_KERNEL: i32 = 0x80;
    info.si_code != SI_KERNEL
}

#[cfg(not(target_os = "linux"))]
fn is_from_process(info: &siginfo_t) -> bool {
    #[expect(unsafe_code, reason = "the field of a C union on some systems")]
    // SAFETY: for the signals that we catch the sender's pid is filled in, and 0 when there is none.
    unsafe {
        info.si_pid() != 0
    }
}

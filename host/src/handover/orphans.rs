//! What a command leaves behind: processes that outlive it (Linux).
//!
//! Every process that comes from the command still asks before it binds, and hears nothing but an error once nobody answers. Build tools
//! and agents start such processes on the way and leave them in the background; they have nothing to do with the port, and must not
//! find out one day that they cannot bind any more. So a small process stays until the last of them has ended, and answers.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::adopt::{Answer, Listener};

/// Leaves a process behind that lets every bind pass, if there is anyone left to ask.
#[expect(unsafe_code, reason = "fork(2) is unsafe where there are threads")]
pub(crate) fn answer_orphan_binds(listener: Listener) {
    // As pid 1 we take everyone with us.
    if std::process::id() == 1 || !is_needed(&listener) {
        return;
    }
    // SAFETY: the child only makes system calls, and never returns.
    if unsafe { libc::fork() } == 0 {
        let listener = OwnedFd::from(listener);
        detach(&listener);
        let listener = Listener::new(listener);
        loop {
            let events = events(&listener, None);
            if events.contains(PollFlags::IN) {
                let _ = listener.receive().map(|notification| listener.answer(&notification, Answer::Continue));
            } else if events.contains(PollFlags::HUP) {
                break;
            }
        }
        // SAFETY: it ends the process, without anything that the parent wanted to do at its end.
        unsafe { libc::_exit(0) };
    }
}

/// Whether there is anyone who may ask: the descriptor hangs up with the last process that has the filter.
fn is_needed(listener: &Listener) -> bool {
    let now = rustix::event::Timespec::default();
    !events(listener, Some(&now)).contains(PollFlags::HUP)
}

fn events(listener: &Listener, patience: Option<&rustix::event::Timespec>) -> PollFlags {
    let mut fds = [PollFd::new(listener, PollFlags::IN)];
    match poll(&mut fds, patience) {
        Ok(_) => fds[0].revents(),
        Err(Errno::INTR) => PollFlags::empty(),
        Err(_) => PollFlags::HUP,
    }
}

/// Nothing of ours may be kept open by it: not the ports, not a pipe whose reader waits for its end, not a directory.
#[expect(unsafe_code, reason = "descriptors are closed that others own, in a process that has no others")]
fn detach(listener: &OwnedFd) {
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    let kept = listener.as_raw_fd().unsigned_abs();
    // SAFETY: nothing else runs in this process.
    unsafe {
        if kept > 3 {
            libc::syscall(libc::SYS_close_range, 3, kept - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, kept + 1, u32::MAX, 0);
    }
}

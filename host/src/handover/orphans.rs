//! A deputy for the time when no other process answers (Linux).
//!
//! Every process that comes from the command asks before it binds, and waits for the answer. That must not be the end of it when this
//! process is killed or stopped, nor when it ends and leaves something behind: build tools and agents start processes in the
//! background that have nothing to do with the port, and each look-up of a name binds a socket. So a small process stands by from
//! soon after the beginning until the last of them has ended, and lets every bind pass that no other process answers.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::adopt::{Answer, Listener};
use super::family;

/// How often it is looked whether the other process was stopped. A bind that then has waited through two looks is let pass.
const INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 400_000_000 };

/// Leaves a process behind that stands by. Not for the first process of a container, with which all others end.
pub(crate) fn appoint_deputy(listener: &Listener) {
    if std::process::id() == 1 {
        return;
    }
    let (Ok(principal), Ok((is_born, birth))) = (Principal::of_this_process(), pipe_with(PipeFlags::CLOEXEC)) else {
        return;
    };
    start(listener, &principal);
    drop(birth);
    // It hangs up once the process has let go of all that it was born with. Until then the ports are not this process' alone, and one
    // that it closes for a server would not be free for that.
    let _ = poll(&mut [PollFd::new(&is_born, PollFlags::empty())], Some(&BIRTH));
}

#[expect(unsafe_code, reason = "fork(2) is unsafe where there are threads")]
fn start(listener: &Listener, principal: &Principal) {
    // SAFETY: the child only makes system calls, and never returns.
    match unsafe { libc::fork() } {
        -1 => {}
        0 => {
            detach([listener.as_fd(), principal.process.as_fd(), principal.stat.as_fd()]);
            stand_by(listener, principal);
            // SAFETY: it ends the process, without anything that the parent wanted to do at its end.
            unsafe { libc::_exit(0) }
        }
        pid => family::leave_out(u32::try_from(pid).unwrap_or_default()),
    }
}

/// How long that may take on a machine that is very busy.
const BIRTH: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Whether any process is left that may ask: the descriptor hangs up with the last process that has the filter.
pub(crate) fn is_needed(listener: &Listener) -> bool {
    !events(listener, PollFlags::IN, Some(&Timespec::default())).contains(PollFlags::HUP)
}

/// The process that answers as long as it can.
struct Principal {
    process: OwnedFd,
    /// Its `/proc/PID/stat`.
    stat: OwnedFd,
}

impl Principal {
    fn of_this_process() -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let stat = rustix::fs::open("/proc/self/stat", flags, Mode::empty())?;
        Ok(Self { process: pidfd_open(getpid(), PidfdFlags::empty())?, stat })
    }

    /// Whether a signal has stopped it (proc_pid_stat(5)).
    fn is_stopped(&self) -> bool {
        let mut text = [0; 256];
        let length = rustix::io::pread(&self.stat, &mut text, 0).unwrap_or(0);
        let name_end = text[..length].iter().rposition(|&byte| byte == b')');
        name_end.is_some_and(|end| text.get(end + 2) == Some(&b'T'))
    }
}

fn stand_by(listener: &Listener, principal: &Principal) {
    let mut waited = false;
    while let Some(ended) = ends_within(listener, principal) {
        if ended {
            // It may have ended in the middle of an answer.
            listener.let_pass_interrupted();
            return answer_all(listener);
        }
        let waits = events(listener, PollFlags::IN, Some(&Timespec::default())).contains(PollFlags::IN);
        let stopped = waits && principal.is_stopped();
        if stopped && waited {
            let_pass(listener);
        }
        waited = stopped;
    }
}

/// Whether the principal ends within the interval; none when no process is left that may ask.
fn ends_within(listener: &Listener, principal: &Principal) -> Option<bool> {
    // Nothing but its hanging up: a bind must not wake this process.
    let mut fds = [PollFd::new(&principal.process, PollFlags::IN), PollFd::new(listener, PollFlags::empty())];
    match poll(&mut fds, Some(&INTERVAL)) {
        Ok(_) if fds[1].revents().contains(PollFlags::HUP) => None,
        Ok(_) => Some(fds[0].revents().contains(PollFlags::IN)),
        Err(Errno::INTR) => Some(false),
        Err(_) => None,
    }
}

fn answer_all(listener: &Listener) {
    loop {
        let events = events(listener, PollFlags::IN, None);
        if events.contains(PollFlags::IN) {
            let_pass(listener);
        } else if events.contains(PollFlags::HUP) {
            break;
        }
    }
}

fn let_pass(listener: &Listener) {
    let _ = listener.receive().map(|notification| listener.answer(&notification, Answer::Continue));
}

fn events(listener: &Listener, wanted: PollFlags, patience: Option<&Timespec>) -> PollFlags {
    let mut fds = [PollFd::new(listener, wanted)];
    match poll(&mut fds, patience) {
        Ok(_) => fds[0].revents(),
        Err(Errno::INTR) => PollFlags::empty(),
        Err(_) => PollFlags::HUP,
    }
}

/// Nothing of ours may be kept open by it: not the ports, not a pipe whose reader waits for its end, not a directory. Of signals it has
/// the handler, whose pipe is closed: it ends with the last process that may ask, and no sooner.
#[expect(unsafe_code, reason = "descriptors are closed that others own, in a process that has no others")]
fn detach(mut kept: [BorrowedFd<'_>; 3]) {
    let _ = rustix::process::setsid();
    let _ = rustix::process::chdir("/");
    if let Ok(null) = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty()) {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
    kept.sort_unstable_by_key(AsRawFd::as_raw_fd);
    let mut first = 3;
    for kept in kept.map(|kept| kept.as_raw_fd().unsigned_abs()) {
        close_range(first, kept);
        first = kept + 1;
    }
    // SAFETY: nothing else runs in this process.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// Closes what is open from one number up to another, which stays.
#[expect(unsafe_code, reason = "as above")]
fn close_range(first: u32, beyond: u32) {
    if first < beyond {
        // SAFETY: nothing else runs in this process.
        unsafe { libc::syscall(libc::SYS_close_range, first, beyond - 1, 0) };
    }
}

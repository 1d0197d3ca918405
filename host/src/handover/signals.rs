//! Signals that are sent to us are meant for the command.
//!
//! The command stays in our process group, as a program started by a shell does: what a terminal sends on Ctrl-C, Ctrl-Z or a new
//! window size, it sends to all of the group, and the kernel says so; that is not passed on a second time, unless the command has
//! left the group. What a process has sent, it has sent to us alone.
//!
//! Every signal is passed on but those in [`OWN`]. The handler only writes into a pipe: a handler of our own, because a terminal's
//! stop has to take effect within it.

use std::io::{self, Read};
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use libc::{
    SIGBUS, SIGCHLD, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSEGV, SIGSTOP, SIGSYS, SIGTERM,
    SIGTRAP, SIGTSTP, SIGTTIN, SIGTTOU, c_int, c_void, siginfo_t,
};
use rustix::process::{Pid, getpgid, getpgrp};

/// What is about this process itself: what cannot be caught, what a fault of our own raises, and what our runtime ignores.
const OWN: [c_int; 9] = [SIGKILL, SIGSTOP, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS];

/// Where the handler writes: the other end is read by [`Signals`]. -1: nowhere.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// The signals that the handler is installed for, one bit each.
static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// Signals as something to poll for.
pub(crate) struct Signals {
    read: UnixStream,
    _write: OwnedFd,
}

/// What has come.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Children may have ended.
    pub(crate) children: bool,
    /// A signal that asks programs to end.
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "only Linux has something to end after the command")
    )]
    pub(crate) to_end: bool,
}

impl Signals {
    /// From now on signals come here. Those that this process was started to ignore (nohup(1)) are ignored by the command as well.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn catch() -> io::Result<Self> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        PIPE.store(write.as_raw_fd(), Ordering::SeqCst);
        for signal in all().filter(|signal| !OWN.contains(signal)) {
            handle(signal)?;
        }
        Ok(Self { read, _write: write.into() })
    }

    /// Readable when there are any.
    pub(crate) fn waits_for(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }

    /// Passes on what has come to the command, as long as there is one.
    pub(crate) fn relay(&mut self, command: Option<Pid>) -> Heard {
        let mut heard = Heard::default();
        let mut bytes = [0; 128];
        while let Ok(length @ 1..) = self.read.read(&mut bytes) {
            for pair in bytes[..length].chunks_exact(2) {
                let (signal, from_process) = (c_int::from(pair[0]), pair[1] == 1);
                heard.children |= signal == SIGCHLD;
                heard.to_end |= [SIGHUP, SIGINT, SIGQUIT, SIGTERM].contains(&signal);
                if signal != SIGCHLD {
                    pass_on(signal, from_process, command);
                }
            }
        }
        heard
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        PIPE.store(-1, Ordering::SeqCst);
    }
}

fn pass_on(signal: c_int, from_process: bool, command: Option<Pid>) {
    if let Some(command) = command.filter(|&command| from_process || !is_in_our_group(command)) {
        send(command, signal);
    }
    if signal == SIGTSTP {
        // The shell waits for all of the job to stop.
        act_by_default(signal);
    }
}

/// Whether a terminal's signals to our process group reach it as well.
fn is_in_our_group(command: Pid) -> bool {
    getpgid(Some(command)).is_ok_and(|group| group == getpgrp())
}

#[expect(unsafe_code, reason = "rustix has no signals beyond the named ones")]
fn send(to: Pid, signal: c_int) {
    // SAFETY: it only makes a system call. The command is our child and not waited for yet, so its pid is its own.
    unsafe { libc::kill(to.as_raw_nonzero().get(), signal) };
}

/// What the signal does to a program that does not care: nothing at all in a process group that no shell looks after, where a stopped
/// process would stay stopped forever.
#[expect(unsafe_code, reason = "rustix has no sigaction(2)")]
fn act_by_default(signal: c_int) {
    // SAFETY: zero is a value for all of the fields, and stands for SIG_DFL; the handler is put back afterward.
    unsafe {
        let (default, mut ours): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        if libc::sigaction(signal, &raw const default, &raw mut ours) == 0 {
            libc::raise(signal);
            libc::sigaction(signal, &raw const ours, null_mut());
        }
    }
}

/// Makes signals what they are for any program that starts. Runs between fork and exec.
#[expect(unsafe_code, reason = "rustix has no signal(2)")]
pub(crate) fn reset() {
    let caught = CAUGHT.load(Ordering::SeqCst);
    for signal in (1..=64).filter(|&signal| caught & bit(signal) != 0) {
        // SAFETY: the default action needs nothing of ours.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Every number that a program may be sent. The C library keeps the first of the real-time signals to itself.
fn all() -> impl Iterator<Item = c_int> {
    #[cfg(target_os = "linux")]
    let real_time = libc::SIGRTMIN()..=libc::SIGRTMAX();
    #[cfg(not(target_os = "linux"))]
    let real_time = std::iter::empty();
    (1..=31).chain(real_time)
}

const fn bit(signal: c_int) -> u64 {
    1 << (signal - 1)
}

/// Installs the handler, unless the signal is ignored.
#[expect(unsafe_code, reason = "rustix has no sigaction(2)")]
fn handle(signal: c_int) -> io::Result<()> {
    // SAFETY: zero is a value for all of the fields. The handler does only what a handler may (signal-safety(7)).
    let (result, before) = unsafe {
        let (mut action, mut before): (libc::sigaction, libc::sigaction) = (zeroed(), zeroed());
        action.sa_sigaction = note as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        let mut result = libc::sigaction(signal, &raw const action, &raw mut before);
        if result == 0 && before.sa_sigaction == libc::SIG_IGN {
            result = libc::sigaction(signal, &raw const before, null_mut());
        }
        (result, before)
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    if before.sa_sigaction != libc::SIG_IGN {
        CAUGHT.fetch_or(bit(signal), Ordering::SeqCst);
    }
    Ok(())
}

/// The handler: writes down the signal, and whether a process has sent it.
#[expect(
    unsafe_code,
    reason = "a handler of signals makes system calls, and keeps what the interrupted code has of them"
)]
extern "C" fn note(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel passes a valid structure; errno is this thread's; write(2) and kill(2) are allowed here.
    unsafe {
        let errno = errno_place();
        let before = *errno;
        let from_process = is_from_process(&*info);
        if !from_process && (signal == SIGTTIN || signal == SIGTTOU) {
            // We have read or written in the background, and do so again after this, so it must have its effect before that.
            libc::kill(libc::getpid(), SIGSTOP);
        } else {
            let note = [signal as u8, u8::from(from_process)];
            libc::write(PIPE.load(Ordering::SeqCst), note.as_ptr().cast(), note.len());
        }
        *errno = before;
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the standard library reads errno, and does not set it")]
fn errno_place() -> *mut c_int {
    // SAFETY: it is there for each thread.
    unsafe { libc::__errno_location() }
}

#[cfg(not(target_os = "linux"))]
#[expect(unsafe_code, reason = "the standard library reads errno, and does not set it")]
fn errno_place() -> *mut c_int {
    // SAFETY: it is there for each thread.
    unsafe { libc::__error() }
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

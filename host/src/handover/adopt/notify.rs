//! The descriptor that a seccomp filter's notifications come from (seccomp_unotify(2)).

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{
    O_CLOEXEC, SECCOMP_ADDFD_FLAG_SETFD, SECCOMP_IOCTL_NOTIF_ADDFD, SECCOMP_IOCTL_NOTIF_ID_VALID,
    SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND, SECCOMP_USER_NOTIF_FLAG_CONTINUE, seccomp_notif,
    seccomp_notif_addfd, seccomp_notif_resp,
};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

/// Where notifications come from. As long as it is open, every thread that calls bind(2) waits for our answer; once it is closed,
/// these calls fail with ENOSYS.
#[derive(Debug)]
pub(crate) struct Listener {
    fd: OwnedFd,
    current: Current,
}

/// The notification that is being answered, in memory that this process shares with its deputy; 0: none. Should it be killed in the
/// middle of an answer, the kernel would let that thread wait for as long as any process has the descriptor.
#[derive(Debug)]
struct Current(*const AtomicU64);

#[expect(unsafe_code, reason = "memory that two processes share")]
// SAFETY: it points to an atomic number, which is never unmapped.
unsafe impl Send for Current {}

impl Current {
    #[expect(unsafe_code, reason = "memory that two processes share")]
    fn new() -> io::Result<Self> {
        let length = size_of::<AtomicU64>();
        // SAFETY: a new mapping, which nothing else knows; zero is a value for the number in it.
        let memory =
            unsafe { mmap_anonymous(null_mut(), length, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED)? };
        Ok(Self(memory.cast()))
    }

    #[expect(unsafe_code, reason = "memory that two processes share")]
    fn number(&self) -> &AtomicU64 {
        // SAFETY: it is mapped, aligned to a page, and never unmapped.
        unsafe { &*self.0 }
    }
}

/// A thread that has called bind(2), and waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notification {
    id: u64,
    /// The thread, in our pid namespace; 0 if it is in none of ours.
    pub(crate) thread: u32,
    /// The first argument: a descriptor of that thread.
    pub(crate) fd: RawFd,
    /// The second: where the address is in its memory.
    pub(crate) address: u64,
    /// The third: how long it is, in bytes.
    pub(crate) length: u64,
}

/// A notification that no thread ever got.
const NONE: Notification = Notification { id: 0, thread: 0, fd: 0, address: 0, length: 0 };

/// What the thread hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The kernel does the call, as if there were no filter.
    Continue,
    /// It is done.
    Done,
    /// It failed.
    Failed(Errno),
}

impl Listener {
    /// # Errors
    /// No memory.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self { fd, current: Current::new()? })
    }

    /// The next notification. Blocks: ask only when poll(2) says that there is one.
    ///
    /// # Errors
    /// ENOENT if the thread was killed meanwhile.
    pub(crate) fn receive(&self) -> io::Result<Notification> {
        #[expect(unsafe_code, reason = "a plain structure of integers, which the kernel wants to be zero")]
        // SAFETY: all of its fields are integers or arrays of them, for which zero is a value.
        let mut notif: seccomp_notif = unsafe { zeroed() };
        self.ioctl(SECCOMP_IOCTL_NOTIF_RECV as _, &mut notif)?;
        self.current.number().store(notif.id, Ordering::SeqCst);
        let [fd, address, length, ..] = notif.data.args;
        // The kernel takes an int (bind(2)); the upper half of the register means nothing.
        Ok(Notification { id: notif.id, thread: notif.pid, fd: fd as RawFd, address, length: length as u32 as u64 })
    }

    /// Whether the thread still waits. What was read of it before is only then really its own: its pid may be another's by now.
    pub(crate) fn is_waiting(&self, notification: &Notification) -> bool {
        let mut id = notification.id;
        self.ioctl(SECCOMP_IOCTL_NOTIF_ID_VALID as _, &mut id).is_ok()
    }

    /// Puts a copy of our descriptor into the place of the thread's own, as dup2(2) would (Linux 5.9).
    ///
    /// # Errors
    /// What the kernel says; ENOENT if the thread no longer waits.
    pub(crate) fn replace(&self, notification: &Notification, by: BorrowedFd<'_>, cloexec: bool) -> io::Result<()> {
        let mut addfd = seccomp_notif_addfd {
            id: notification.id,
            flags: SECCOMP_ADDFD_FLAG_SETFD as u32,
            srcfd: by.as_raw_fd() as u32,
            newfd: notification.fd as u32,
            newfd_flags: if cloexec { O_CLOEXEC as u32 } else { 0 },
        };
        self.ioctl(SECCOMP_IOCTL_NOTIF_ADDFD as _, &mut addfd).map(drop)
    }

    /// Lets the thread go on. False if it no longer waits: it was killed, or a signal handler has interrupted it.
    pub(crate) fn answer(&self, notification: &Notification, answer: Answer) -> bool {
        let (error, flags) = match answer {
            Answer::Continue => (0, SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Done => (0, 0),
            Answer::Failed(errno) => (-errno.raw_os_error(), 0),
        };
        let mut response = seccomp_notif_resp { id: notification.id, val: 0, error, flags };
        let answered = self.ioctl(SECCOMP_IOCTL_NOTIF_SEND as _, &mut response).is_ok();
        self.current.number().store(0, Ordering::SeqCst);
        answered
    }

    /// Lets the bind pass that a process that is no more was about to answer, if there is one.
    pub(crate) fn let_pass_interrupted(&self) {
        let id = self.current.number().load(Ordering::SeqCst);
        if id != 0 {
            self.answer(&Notification { id, ..NONE }, Answer::Continue);
        }
    }

    /// Whether the kernel can do all that is needed. To a kernel that can, a notification that was never received is unknown; to one that
    /// cannot, the request is.
    pub(crate) fn can_replace(&self) -> bool {
        let error = self.replace(&NONE, self.fd.as_fd(), true).err();
        error.and_then(|error| Errno::from_io_error(&error)) == Some(Errno::NOENT)
    }

    fn ioctl<T>(&self, request: u64, argument: &mut T) -> io::Result<i32> {
        #[expect(unsafe_code, reason = "rustix has none of seccomp's requests")]
        // SAFETY: each request of this file comes with the structure that its number says, which outlives the call.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), request as _, &raw mut *argument) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

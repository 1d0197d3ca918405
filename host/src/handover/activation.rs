//! Sockets that systemd has started this process with are its own, and none of the command's (sd_listen_fds(3)).

use std::os::fd::{BorrowedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

use super::fds::FIRST;

/// What says which process was started with sockets, and which.
pub(crate) const VARIABLES: [&str; 4] = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// Lets the sockets that were meant for this process end with it.
pub(crate) fn keep_to_ourselves() {
    let number = |key| std::env::var(key).ok()?.parse::<u32>().ok();
    if number(VARIABLES[0]) != Some(std::process::id()) {
        return;
    }
    let count = number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok()).unwrap_or_default();
    for fd in FIRST..FIRST.saturating_add(count) {
        #[expect(unsafe_code, reason = "descriptors that nothing in this program owns")]
        // SAFETY: the number was open when this program started, and is not closed; if it is not, the call says so.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        if fcntl_setfd(fd, FdFlags::CLOEXEC).is_err() {
            break;
        }
    }
}

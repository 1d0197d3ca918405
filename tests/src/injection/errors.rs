//! What may happen to a call.

use std::fmt;

use crate::trace::{Action, Call};

/// What happens in place of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It fails with this error number.
    Error(i32),
    /// The process is killed.
    Kill,
}

impl Fault {
    pub(super) fn action(self) -> Action {
        match self {
            Self::Error(error) => Action::Fail(error),
            Self::Kill => Action::Kill,
        }
    }
}

/// What may happen to the call.
pub(super) fn that_fit(call: &Call) -> impl Iterator<Item = Fault> {
    errors(call).iter().copied().map(Fault::Error).chain([Fault::Kill])
}

/// The errors that fit the call: the disk, what is full, a signal.
fn errors(call: &Call) -> &'static [i32] {
    use libc::{EINTR, EIO, EMFILE, ENFILE, ENOLCK, ENOSPC};
    let creates = |flags: usize| call.argument(flags) & u64::from(libc::O_CREAT.unsigned_abs()) != 0;
    match call.name {
        "openat" if creates(2) => &[EIO, ENOSPC, EMFILE, ENFILE, EINTR],
        "open" if creates(1) => &[EIO, ENOSPC, EMFILE, ENFILE, EINTR],
        "open" | "openat" | "openat2" => &[EIO, EMFILE, ENFILE, EINTR],
        "read" | "pread64" | "readv" => &[EIO, EINTR],
        "write" | "writev" | "pwrite64" | "ftruncate" | "fsync" | "fdatasync" => &[EIO, ENOSPC, EINTR],
        "rename" | "renameat" | "renameat2" | "link" | "linkat" | "symlink" | "symlinkat" | "mkdir" | "mkdirat" => {
            &[EIO, ENOSPC]
        }
        "flock" | "fcntl(F_SETLK)" => &[EIO, EINTR, ENOLCK],
        "fcntl(F_DUPFD)" => &[EMFILE],
        "socket" | "socketpair" => &[EMFILE, ENFILE],
        _ => &[EIO],
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Error(error) = self else { return f.write_str("is killed") };
        let name = match *error {
            libc::EIO => "EIO",
            libc::ENOSPC => "ENOSPC",
            libc::EMFILE => "EMFILE",
            libc::ENFILE => "ENFILE",
            libc::EINTR => "EINTR",
            libc::ENOLCK => "ENOLCK",
            other => return write!(f, "fails with {other}"),
        };
        write!(f, "fails with {name}")
    }
}

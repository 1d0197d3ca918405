//! Files as text.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fs::{PathContext, PathError, read_up_to};

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 10 << 20;

/// Why a file cannot be read as text.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is in another encoding, or no text at all.
    #[error("{}: not UTF-8 text; it is left as it is", .0.display())]
    NotText(PathBuf),
    /// It is larger than [`LARGEST`].
    #[error("{}: larger than {} MiB; it is left as it is", .0.display(), LARGEST >> 20)]
    TooLarge(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] PathError),
}

/// The text of a regular file; none when there is no such file.
pub(super) fn text(path: &Path) -> Result<Option<String>, FileError> {
    let Some(bytes) = bytes(path).at(path)? else { return Ok(None) };
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| FileError::NotText(path.to_owned()))
}

/// The bytes of a regular file, up to one more than [`LARGEST`]; none when there is no such file.
pub(super) fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    read_up_to(file, LARGEST + 1).map(Some)
}

/// Without following a last link, and without waiting for the other end of a pipe.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

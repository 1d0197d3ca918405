//! What may be a file or a stream: a path that a user names for an answer.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{PathContext, PathError, write_atomic};

/// Writes an answer where its user wants it. A device, a pipe, a socket or `/dev/fd/N` gets the bytes as a stream does, however it is
/// named; a regular file, or one that is not there yet, is replaced as [`write_atomic`] does.
///
/// Nothing but a regular file is ever replaced: as root a rename would put a file in the place of `/dev/null`, for every program.
///
/// # Errors
/// The path that an operation failed on: a directory, a pipe without a reader, a file that cannot be written.
pub fn write_to(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => through_link(path, bytes),
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()).at(path),
        Ok(found) if !found.is_file() => into_stream(path, bytes),
        _ => write_atomic(path, bytes, None),
    }
}

/// What a link leads to is written, and the link stays. `/dev/stdout` and `/dev/fd/N` are links that name a file that is already open,
/// which may have no other name: it is written as it is.
fn through_link(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => match path.canonicalize() {
            Ok(real) if !is_of_process(path) => write_atomic(&real, bytes, None),
            _ => into_stream(path, bytes),
        },
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()).at(path),
        Ok(_) => into_stream(path, bytes),
        Err(error) => Err(error).at(path),
    }
}

/// The path, and each that a link leads it to next: what the links in its directory lead to is resolved, a last link is not. No more than a
/// few: `/dev/stdout` is a link to a link.
fn link_by_link(path: &Path) -> impl Iterator<Item = PathBuf> {
    let resolved = |path: PathBuf| Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    let next = move |path: &PathBuf| resolved(path.parent()?.join(std::fs::read_link(path).ok()?));
    std::iter::successors(resolved(path.to_owned()), next).take(8)
}

/// Whether the path is that of a file that a process has open.
fn is_of_process(path: &Path) -> bool {
    link_by_link(path).any(|path| path.starts_with("/proc") || path.starts_with("/dev/fd"))
}

#[cfg(unix)]
fn into_stream(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
    if let Some(own) = own_descriptor(path) {
        return own.and_then(|mut file| file.write_all(bytes)).at(path);
    }
    if std::fs::metadata(path).at(path)?.file_type().is_socket() {
        return std::os::unix::net::UnixStream::connect(path).and_then(|mut to| to.write_all(bytes)).at(path);
    }
    // NONBLOCK: a pipe without a reader is an error, and not a command that never ends. Once it is open, writing may wait.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let opened = OpenOptions::new().append(true).custom_flags(flags.bits().cast_signed()).open(path);
    let mut file = match opened {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
            return Err(io::Error::other("nothing reads from it")).at(path);
        }
        file => file.at(path)?,
    };
    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::APPEND).map_err(io::Error::from).at(path)?;
    file.write_all(bytes).at(path)
}

/// A copy of our own descriptor that the path names, by whatever links: a socket has no other way in, and a file is written on where it
/// stands.
#[cfg(unix)]
fn own_descriptor(path: &Path) -> Option<io::Result<std::fs::File>> {
    let own = format!("/proc/{}/fd", std::process::id());
    let is_own = |path: &PathBuf| [Path::new("/dev/fd"), Path::new(&own)].contains(&path.parent().unwrap_or(path));
    let number: i32 = link_by_link(path).find(is_own)?.file_name()?.to_str()?.parse().ok()?;
    // SAFETY: the descriptor is only used to copy it, and a number that is not open gives an error.
    #[expect(unsafe_code, reason = "the descriptor comes as a number")]
    let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
    Some(fd.try_clone_to_owned().map(Into::into))
}

#[cfg(not(unix))]
fn into_stream(path: &Path, bytes: &[u8]) -> Result<(), PathError> {
    OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(bytes)).at(path)
}

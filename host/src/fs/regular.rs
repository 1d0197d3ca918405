//! Reading what must be a file: pipes and devices are refused without waiting for their other end.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use thiserror::Error;

/// Something else than a file is where a file must be.
#[derive(Debug, Error)]
#[error("{0}, not a file")]
struct NotAFile(&'static str);

/// What is there in place of a file, if that is the error.
#[must_use]
pub fn not_a_file(error: &io::Error) -> Option<&'static str> {
    error.get_ref()?.downcast_ref::<NotAFile>().map(|found| found.0)
}

/// Opens a regular file for reading, through links.
///
/// It is looked at twice: before, because to open a device can do something, and after, because only the open file is the one that is
/// read. Another process may swap them in between, for a pipe too: opening that does not wait.
///
/// # Errors
/// What the system reports, or what is there in place of a file: see [`not_a_file`].
pub fn open_regular(path: &Path) -> io::Result<File> {
    refuse_others(&std::fs::metadata(path)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    refuse_others(&file.metadata()?)?;
    Ok(file)
}

/// An error unless the metadata is that of a regular file.
///
/// # Errors
/// What it is instead: see [`not_a_file`].
pub fn refuse_others(found: &Metadata) -> io::Result<()> {
    refuse_kind(found.is_dir(), found.is_file())
}

pub(super) fn refuse_kind(is_directory: bool, is_file: bool) -> io::Result<()> {
    match (is_directory, is_file) {
        (_, true) => Ok(()),
        (true, _) => Err(io::Error::other(NotAFile("a directory"))),
        _ => Err(io::Error::other(NotAFile("a device, pipe or socket"))),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_files_are_opened_and_a_pipe_is_not_waited_for() {
        let base = tempfile::tempdir().unwrap();
        let (file, link, pipe, socket) =
            (base.path().join("file"), base.path().join("link"), base.path().join("pipe"), base.path().join("socket"));
        std::fs::write(&file, "text").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(open_regular(&file).is_ok() && open_regular(&link).is_ok());
        let found = |path: &Path| not_a_file(&open_regular(path).unwrap_err());
        assert_eq!(found(base.path()), Some("a directory"));
        for path in [&pipe, &socket, Path::new("/dev/null")] {
            assert_eq!(found(path), Some("a device, pipe or socket"), "{}", path.display());
        }
        assert_eq!(found(&base.path().join("nothing")), None);
    }
}

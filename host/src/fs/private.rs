//! Files and directories that belong to one user alone.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::read::read_sized;
use super::{PathContext, PathError, directory_of, sync_directory};

/// Makes sure that a directory is there, belongs to the effective user, and is closed to all other users (0700).
///
/// # Errors
/// The directory cannot be made, or it is another user's: writing into it would lock that user out of their own files.
pub fn create_private_dir(path: &Path) -> Result<(), PathError> {
    let found = match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => found,
        _ => {
            make_with_parents(path)?;
            std::fs::metadata(path).at(path)?
        }
    };
    close_to_others(path, &found).at(path)
}

/// Makes the directory and those above it that are missing, each for its user alone, and durably: after a power cut what is then written
/// below can still be found.
fn make_with_parents(path: &Path) -> Result<(), PathError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = directory_of(path);
    make_with_parents(parent)?;
    match private_directory().create(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // That something else has the name, as where HOME=/dev/null, is not what "file exists" says.
            let not_a_directory = || io::Error::from(io::ErrorKind::NotADirectory);
            return if path.is_dir() { Ok(()) } else { Err(not_a_directory()).at(path) };
        }
        made => made.at(path)?,
    }
    open_to_owner(path).at(path)?;
    sync_directory(parent)
}

#[cfg(unix)]
fn private_directory() -> DirBuilder {
    let mut builder = DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

#[cfg(not(unix))]
fn private_directory() -> DirBuilder {
    DirBuilder::new()
}

/// A umask such as 0777 takes the rights of a new directory away from its owner, too (umask(2)).
#[cfg(unix)]
fn open_to_owner(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    if std::fs::metadata(path)?.mode() & 0o700 != 0o700 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn open_to_owner(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn close_to_others(path: &Path, metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    refuse_foreign(metadata)?;
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_to_others(_: &Path, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Opens a private file for reading and writing, and creates it (0600) when it is not there. What the system knows of it comes along.
///
/// # Errors
/// A symbolic link, another user's file, or whatever the system reports.
pub fn open_private(path: &Path) -> Result<(File, Metadata), PathError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_for_owner(path, &mut options).at(path)
}

/// Creates a private file (0600) that must not be there yet, and opens it for reading and writing.
///
/// # Errors
/// It is there, or whatever the system reports.
pub fn create_private(path: &Path) -> Result<File, PathError> {
    open_for_owner(path, OpenOptions::new().read(true).write(true).create_new(true)).at(path).map(|(file, _)| file)
}

/// Reads a private file of at most `limit` bytes; none when there is no such file.
///
/// # Errors
/// A symbolic link, another user's file, something that is no regular file, a larger file, or whatever the system reports.
pub fn read_private(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, PathError> {
    let file = match open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.at(path)?,
    };
    read_limited(file, limit).map(Some).at(path)
}

fn read_limited((file, metadata): (File, Metadata), limit: u64) -> io::Result<Vec<u8>> {
    let bytes = read_sized(file, metadata.len(), limit.saturating_add(1))?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other(format!("larger than {limit} bytes")));
    }
    Ok(bytes)
}

fn open(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // NONBLOCK: a FIFO in the file's place must not make us wait for its writer.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path).map_err(explain_link)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    #[cfg(unix)]
    refuse_foreign(&metadata)?;
    Ok((file, metadata))
}

/// Opens, or makes, a file that its owner can open again, whatever the umask took away when it was made.
fn open_for_owner(path: &Path, options: &mut OpenOptions) -> io::Result<(File, Metadata)> {
    let (file, metadata) = open(path, options)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        if metadata.mode() & 0o600 != 0o600 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    Ok((file, metadata))
}

/// `O_NOFOLLOW` on a link gives ELOOP (open(2)), whose own words (too many levels) mislead.
#[cfg(unix)]
fn explain_link(error: io::Error) -> io::Error {
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return io::Error::other("a symbolic link, which is not followed here: name the file itself");
    }
    error
}

#[cfg(not(unix))]
fn explain_link(error: io::Error) -> io::Error {
    error
}

#[cfg(unix)]
fn refuse_foreign(metadata: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == user {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!(
            "belongs to user {owner}, but this is user {user}. \
             Under sudo, HOME may still be the other user's: use `sudo -H`, or choose a file with --registry"
        ),
    ))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_directory_is_closed_to_others() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a/b");
        create_private_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        create_private_dir(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_link_is_not_followed() {
        let base = tempfile::tempdir().unwrap();
        let (target, link) = (base.path().join("target"), base.path().join("link"));
        std::fs::write(&target, "secret").unwrap();
        symlink(&target, &link).unwrap();
        assert!(read_private(&link, 100).unwrap_err().to_string().contains("symbolic link"));
        assert!(open_private(&link).unwrap_err().to_string().contains("symbolic link"));
    }

    #[test]
    fn a_missing_file_is_none_and_a_large_or_strange_one_is_an_error() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        assert_eq!(read_private(&path, 3).unwrap(), None);
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_private(&path, 4).unwrap().unwrap(), b"four");
        assert!(read_private(&path, 3).unwrap_err().to_string().ends_with("larger than 3 bytes"));
        assert!(read_private(base.path(), 3).is_err());
    }
}

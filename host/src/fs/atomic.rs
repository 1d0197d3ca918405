//! Writes that happen as a whole or not at all, and that are on the disk when they return.

use std::fs::Permissions;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use super::{PathContext, PathError};

/// Replaces a file's content, durably: whoever looks, even after a power cut, finds the old bytes or the new ones.
///
/// `mode` are the permission bits of the new file; none keeps those of the old one, or takes what the umask leaves of 0666. A
/// symbolic link at `path` is replaced, not followed.
///
/// # Errors
/// The file or directory that an operation failed on. The old file is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), PathError> {
    Staged::new(path, bytes, mode)?.commit()
}

/// New content beside a file, on the disk, but not in its place yet. Dropping it leaves no trace.
#[derive(Debug)]
pub struct Staged {
    temp: NamedTempFile,
    target: PathBuf,
}

impl Staged {
    /// Writes the bytes into a temporary file in the target's directory, as [`write_atomic`] does.
    ///
    /// # Errors
    /// The file or directory that an operation failed on, a full disk included.
    pub fn new(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<Self, PathError> {
        let mut builder = Builder::new();
        let prefix = temporary_name(path) + ".";
        builder.prefix(&prefix);
        Self::stage(&mut builder, path, &[bytes], mode)
    }

    /// The same, with the bytes in pieces, for whoever holds a lock that lets nobody else write the file. The temporary file always has
    /// the same name, so what a killed writer left behind is overwritten by the next one.
    ///
    /// # Errors
    /// As [`Staged::new`].
    pub fn under_lock(path: &Path, pieces: &[impl AsRef<[u8]>], mode: Option<u32>) -> Result<Self, PathError> {
        let name = temporary_name(path);
        let left_behind = directory_of(path).join(&name);
        match std::fs::remove_file(&left_behind) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).at(&left_behind),
            _ => {}
        }
        let mut builder = Builder::new();
        builder.prefix(&name).rand_bytes(0);
        Self::stage(&mut builder, path, pieces, mode)
    }

    fn stage(
        builder: &mut Builder<'_, '_>,
        path: &Path,
        pieces: &[impl AsRef<[u8]>],
        mode: Option<u32>,
    ) -> Result<Self, PathError> {
        let mode = match mode.and_then(permissions) {
            None => mode_of(path)?,
            mode => mode,
        };
        if mode.is_none() {
            leave_to_umask(builder);
        }
        let temp = builder.tempfile_in(directory_of(path)).at(directory_of(path))?;
        if let Some(mode) = mode {
            temp.as_file().set_permissions(mode).at(path)?;
        }
        let mut writer = BufWriter::new(temp.as_file());
        pieces.iter().try_for_each(|piece| writer.write_all(piece.as_ref())).at(path)?;
        writer.flush().at(path)?;
        drop(writer);
        temp.as_file().sync_all().at(path)?;
        Ok(Self { temp, target: path.to_owned() })
    }

    /// Puts the new content in the target's place, durably.
    ///
    /// # Errors
    /// The file or directory that an operation failed on.
    pub fn commit(self) -> Result<(), PathError> {
        let directory = directory_of(&self.target).to_owned();
        self.put_in_place()?;
        sync_directory(&directory)
    }

    /// Puts the new content in the target's place. That it stays there after a power cut, [`sync_directory`] sees to.
    ///
    /// # Errors
    /// The file that the operation failed on.
    pub fn put_in_place(self) -> Result<(), PathError> {
        self.temp.persist(&self.target).map_err(|error| error.error).at(&self.target)?;
        Ok(())
    }
}

/// The permissions of the file that is there; none when there is none. Not to see them is no reason to give it others.
fn mode_of(path: &Path) -> Result<Option<Permissions>, PathError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        found => Ok(Some(found.at(path)?.permissions())),
    }
}

/// Beside the file, hidden, and recognisable.
fn temporary_name(path: &Path) -> String {
    format!(".{}.tmp", path.file_name().unwrap_or_default().to_string_lossy())
}

/// The directory that a file is in; the current one for a bare name.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes renames in a directory survive a power failure (fsync(2)), where the file system can.
///
/// # Errors
/// What the system reports about the directory.
#[cfg(unix)]
pub fn sync_directory(directory: &Path) -> Result<(), PathError> {
    match std::fs::File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result.at(directory),
    }
}

/// Windows has no such call, and needs none.
///
/// # Errors
/// None.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "fails on other platforms")]
pub fn sync_directory(_: &Path) -> Result<(), PathError> {
    Ok(())
}

/// Temporary files are born with 0600; what the umask leaves of 0666 is what any other program gives a new file.
fn leave_to_umask(builder: &mut Builder<'_, '_>) {
    if let Some(all) = permissions(0o666) {
        builder.permissions(all);
    }
}

#[cfg(unix)]
fn permissions(mode: u32) -> Option<Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(mode & 0o7777))
}

/// Other platforms have no permission bits.
#[cfg(not(unix))]
fn permissions(_: u32) -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind_but_the_new_content() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_atomic(&path, b"one", None).unwrap();
        write_atomic(&path, b"two", None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_staged_write_that_is_dropped_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        write_atomic(&path, b"one", None).unwrap();
        drop(Staged::new(&path, b"two", None).unwrap());
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_error_names_the_directory() {
        let error = write_atomic(Path::new("/nonexistent/file"), b"", None).unwrap_err();
        assert_eq!(error.to_string(), "/nonexistent: no such file or directory");
    }

    /// A loop of links stands for every look that fails: the mode of the file is unknown, and not that of a new one.
    #[cfg(unix)]
    #[test]
    fn a_mode_that_cannot_be_seen_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::os::unix::fs::symlink("file", &path).unwrap();
        assert!(write_atomic(&path, b"", None).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_kept_or_set() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        write_atomic(&path, b"", Some(0o600)).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_atomic(&path, b"new", None).unwrap();
        assert_eq!(mode(), 0o640);
    }
}

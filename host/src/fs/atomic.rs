//! Writes that happen as a whole or not at all, and that are on the disk when they return.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::directory::Replaced;
use super::{Directory, PathContext, PathError};

/// Replaces a file's content, durably: a reader, even after a power cut, finds the old bytes or the new ones.
///
/// `mode` are the permission bits of the new file; none keeps owner and bits of the old one, or takes what the umask leaves of 0666. What
/// makes a program run as another user is never kept. A symbolic link at `path` is replaced, not followed; what is no file is an error.
///
/// # Errors
/// The file or directory that an operation failed on. The old file is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<(), PathError> {
    Staged::new(path, bytes, mode)?.commit()
}

/// New content beside a file, on the disk, but not in its place yet. Dropping it leaves no trace.
///
/// All is done in the one directory that the path led to at first, wherever it leads by now.
#[derive(Debug)]
pub struct Staged {
    directory: Directory,
    file: File,
    /// In the directory, until it is in its place.
    temporary: Option<OsString>,
    target: PathBuf,
}

/// What a new file gets its mode from.
#[derive(Debug, Clone)]
enum Like {
    Mode(u32),
    Old(Replaced),
}

impl Staged {
    /// Writes the bytes into a temporary file in the target's directory, as [`write_atomic`] does.
    ///
    /// # Errors
    /// The file or directory that an operation failed on, a full disk included.
    pub fn new(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<Self, PathError> {
        let directory = Directory::open(directory_of(path)).at(directory_of(path))?;
        let old = directory.replaced(name_of(path)).at(path)?;
        let like = mode.map(Like::Mode).or(old.map(Like::Old));
        loop {
            let mut temporary = temporary_name(path);
            temporary.push(format!(".{:08x}", fastrand::u32(..)));
            // Like nothing: it gets the mode of any new file, so no user can read it now who cannot read it later.
            match directory.create(&temporary, if like.is_some() { 0o600 } else { 0o666 }) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                file => {
                    let file = file.at(directory_of(path))?;
                    return Self { directory, file, temporary: Some(temporary), target: path.to_owned() }
                        .filled(&[bytes], like);
                }
            }
        }
    }

    /// The same, with the bytes in pieces, for a caller that holds a lock that lets no other process write the file. The temporary file
    /// always has the same name, so what a killed writer left behind is overwritten by the next one.
    ///
    /// # Errors
    /// As [`Staged::new`].
    pub fn under_lock(path: &Path, pieces: &[impl AsRef<[u8]>], mode: u32) -> Result<Self, PathError> {
        let directory = Directory::open(directory_of(path)).at(directory_of(path))?;
        let temporary = temporary_name(path);
        let left_behind = directory_of(path).join(&temporary);
        let file = match directory.create(&temporary, 0o600) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                directory.remove_file(&temporary).and_then(|()| directory.create(&temporary, 0o600))
            }
            file => file,
        };
        let file = file.at(&left_behind)?;
        Self { directory, file, temporary: Some(temporary), target: path.to_owned() }
            .filled(pieces, Some(Like::Mode(mode)))
    }

    fn filled(self, pieces: &[impl AsRef<[u8]>], like: Option<Like>) -> Result<Self, PathError> {
        let path = &self.target;
        let mut writer = BufWriter::new(&self.file);
        pieces.iter().try_for_each(|piece| writer.write_all(piece.as_ref())).at(path)?;
        writer.flush().at(path)?;
        drop(writer);
        match like {
            None => {}
            Some(Like::Old(old)) => old.bequeath(&self.file).at(path)?,
            Some(Like::Mode(mode)) => set_mode(&self.file, mode & 0o777).at(path)?,
        }
        self.file.sync_all().at(path)?;
        Ok(self)
    }

    /// Puts the new content in the target's place, durably.
    ///
    /// # Errors
    /// The file or directory that an operation failed on.
    pub fn commit(mut self) -> Result<(), PathError> {
        self.put_in_place()?;
        self.sync()
    }

    /// Puts the new content in the target's place. That it stays there after a power cut, [`Staged::sync`] sees to.
    ///
    /// # Errors
    /// The file that the operation failed on.
    pub fn put_in_place(&mut self) -> Result<(), PathError> {
        if let Some(temporary) = &self.temporary {
            self.directory.rename(temporary, &self.directory, name_of(&self.target)).at(&self.target)?;
        }
        self.temporary = None;
        Ok(())
    }

    /// Makes the new name survive a power failure.
    ///
    /// # Errors
    /// What the system reports about the directory.
    pub fn sync(&self) -> Result<(), PathError> {
        self.directory.sync().at(directory_of(&self.target))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = self.directory.remove_file(temporary);
        }
    }
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// Beside the file, hidden, and recognisable.
fn temporary_name(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(name_of(path));
    name.push(".tmp");
    name
}

/// A file is born with 0600, or less by the umask.
#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> std::io::Result<()> {
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Other platforms have no permission bits.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "fails on other platforms")]
fn set_mode(_: &File, _: u32) -> std::io::Result<()> {
    Ok(())
}

/// The directory that a file is in; the current one for a bare name.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path with `.suffix` after its whole file name.
#[must_use]
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes renames in a directory survive a power failure (fsync(2)), where the file system can.
///
/// # Errors
/// What the system reports about the directory.
pub fn sync_directory(directory: &Path) -> Result<(), PathError> {
    Directory::open(directory).and_then(|open| open.sync()).at(directory)
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

    /// A name that cannot be looked at stands for every look that fails.
    #[cfg(unix)]
    #[test]
    fn a_mode_that_cannot_be_seen_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        assert!(write_atomic(&directory.path().join("a".repeat(300)), b"", None).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn the_mode_is_kept_or_set() {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
        write_atomic(&path, b"", Some(0o600)).unwrap();
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        write_atomic(&path, b"new", None).unwrap();
        assert_eq!(mode(), 0o640);
        // What makes a program run as its owner or group is not for a new text.
        std::fs::set_permissions(&path, Permissions::from_mode(0o6755)).unwrap();
        write_atomic(&path, b"newer", None).unwrap();
        assert_eq!(mode(), 0o755);
        write_atomic(&path, b"newest", Some(0o4700)).unwrap();
        assert_eq!(mode(), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_directory_that_is_swapped_in_between_gets_nothing() {
        let base = tempfile::tempdir().unwrap();
        let (own, other) = (base.path().join("own"), base.path().join("other"));
        for directory in [&own, &other] {
            std::fs::create_dir(directory).unwrap();
        }
        let staged = Staged::new(&own.join("file"), b"secret", None).unwrap();
        std::fs::rename(&own, base.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(&other, &own).unwrap();
        staged.commit().unwrap();
        assert_eq!(std::fs::read_dir(&other).unwrap().count(), 0);
        assert_eq!(std::fs::read(base.path().join("moved/file")).unwrap(), b"secret");
    }
}

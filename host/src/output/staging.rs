//! Where new texts wait for their turn, and old ones until they can no longer be wanted back: a private directory beside the files.
//!
//! Nothing in it can be opened by another user, whatever its mode, and it ignores itself for git. Its name is always the same, so that the
//! next prepare finds what a killed one has left, and removes it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::fs::{Directory, PathContext, PathError, is_link_error};

/// What keeps git from adding any of it, this file included (gitignore(5)).
const IGNORE: (&str, &str) = (".gitignore", "*\n");

/// What earlier versions began the names of their temporary files with; six letters and digits followed.
const FORMER_PREFIX: &str = ".portkeeper-";

/// How often to make the directory anew when others remove it.
const TRIES: usize = 100;

/// What the directory's name begins with, for every user.
pub(super) const PREFIX: &str = ".portkeeper-tmp";

/// The directory's name. Two users who share a project have one each.
fn name() -> OsString {
    #[cfg(unix)]
    return format!("{PREFIX}.{}", rustix::process::geteuid().as_raw()).into();
    #[cfg(not(unix))]
    return PREFIX.into();
}

/// The private directory, which is removed with the last that uses it.
#[derive(Debug)]
pub(super) struct Staging {
    parent: Arc<Directory>,
    directory: Directory,
}

impl Staging {
    /// Opens it, and makes it where it is missing.
    ///
    /// # Errors
    /// What the system reports of the parent, whose path this is, or of what is in its place. Then nothing is left of it, but what others
    /// have put into it.
    pub(super) fn open(parent: &Arc<Directory>, path: &Path) -> Result<Self, PathError> {
        let name = name();
        let own_path = path.join(&name);
        for _ in 0..TRIES {
            let made = match parent.make(&name, true) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
                made => made.at(path).map(|()| true)?,
            };
            match Self::begin(parent, &name) {
                Ok(Some(this)) => return this.ignore_itself().at(own_path),
                Ok(None) => {}
                Err(error) => {
                    if made {
                        let _ = parent.remove_directory(&name);
                    }
                    return Err(in_its_place(error)).at(own_path);
                }
            }
        }
        Err(io::Error::other("other processes keep removing the directory for temporary files")).at(own_path)
    }

    /// The directory that is there now; none when another process has just removed it.
    fn begin(parent: &Arc<Directory>, name: &OsStr) -> io::Result<Option<Self>> {
        let directory = match parent.descend(Path::new(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            directory => directory?,
        };
        directory.make_private()?;
        let is_there = directory.begin_use();
        Ok(is_there.then(|| Self { parent: Arc::clone(parent), directory }))
    }

    fn ignore_itself(self) -> io::Result<Self> {
        match self.directory.create_whole(OsStr::new(IGNORE.0), IGNORE.1.as_bytes()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(self),
        }
    }

    /// A new file in it: private, or as the umask has it.
    pub(super) fn create(this: &Arc<Self>, private: bool) -> io::Result<TemporaryFile> {
        loop {
            let name = new_name();
            match this.directory.create(&name, if private { 0o600 } else { 0o644 }) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                file => {
                    return Ok(TemporaryFile {
                        kept: Kept { staging: Arc::clone(this), name: Some(name) },
                        file: file?,
                    });
                }
            }
        }
    }

    /// A second name in it for a file of the directory that it is in; none where the file system has no hard links.
    pub(super) fn keep(this: &Arc<Self>, file: &OsStr) -> Option<Kept> {
        let name = new_name();
        this.parent.link(file, &this.directory, &name).ok()?;
        Some(Kept { staging: Arc::clone(this), name: Some(name) })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.directory.is_unused() {
            clear(&self.directory);
            let _ = self.parent.remove_directory(&name());
        }
    }
}

/// The error of what has the name of the private directory: what it is, and the way out.
fn in_its_place(error: io::Error) -> io::Error {
    let found = match error.kind() {
        _ if is_link_error(&error) => "a symbolic link",
        ErrorKind::NotADirectory => "a file",
        ErrorKind::PermissionDenied => "a directory that this user may not open",
        _ => return error,
    };
    io::Error::other(format!(
        "{found} is in the place of portkeeper's directory for temporary files: remove it, or move it away"
    ))
}

/// A name that no other file of this process has.
fn new_name() -> OsString {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)).into()
}

/// A file in the private directory, which is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Kept {
    staging: Arc<Staging>,
    /// None: it has left.
    name: Option<OsString>,
}

impl Kept {
    /// Moves it to its place, over what is there.
    pub(super) fn put(mut self, to: &Directory, new: &OsStr) -> io::Result<()> {
        self.leave(|directory, name| directory.rename(name, to, new))
    }

    fn leave(&mut self, rename: impl FnOnce(&Directory, &OsStr) -> io::Result<()>) -> io::Result<()> {
        if let Some(name) = &self.name {
            rename(&self.staging.directory, name)?;
            self.name = None;
        }
        Ok(())
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            let _ = self.staging.directory.remove_file(name);
        }
    }
}

/// A new file in the private directory.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    kept: Kept,
    file: File,
}

impl TemporaryFile {
    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Moves it to its place, over what is there.
    pub(super) fn put(self, to: &Directory, new: &OsStr) -> io::Result<()> {
        self.kept.put(to, new)
    }

    /// Moves it to its place, if nothing is there.
    pub(super) fn put_new(mut self, to: &Directory, new: &OsStr) -> io::Result<()> {
        self.kept.leave(|directory, name| directory.rename_new(name, to, new))
    }
}

/// Removes what killed processes have left in a directory: the private directory, unless it is in use, and temporary files of earlier
/// versions. What cannot be removed stays: it is no reason not to go on.
pub(super) fn remove_leftovers(directory: &Directory) {
    let own = name();
    for found in directory.names().unwrap_or_default() {
        if found == own {
            remove_staging(directory, &found);
        } else if is_former(&found) && directory.has_own_file(&found) {
            let _ = directory.remove_file(&found);
        }
    }
}

fn remove_staging(parent: &Directory, name: &OsStr) {
    let Ok(directory) = parent.descend(Path::new(name)) else { return };
    if directory.make_private().is_err() || !directory.is_unused() {
        return;
    }
    clear(&directory);
    let _ = parent.remove_directory(name);
}

/// Removes all files. What keeps git away from them goes last.
fn clear(directory: &Directory) {
    let ignore = OsStr::new(IGNORE.0);
    for file in directory.names().unwrap_or_default().iter().filter(|name| *name != ignore) {
        let _ = directory.remove_file(file);
    }
    let _ = directory.remove_file(ignore);
}

fn is_former(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(FORMER_PREFIX)).unwrap_or_default();
    rest.len() == 6 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(base.path()).unwrap());
        for name in [".portkeeper-aB3dE6", ".portkeeper-notes", ".portkeeper-aB3dE67", ".portkeeper"] {
            fs::write(base.path().join(name), "text").unwrap();
        }
        fs::create_dir(base.path().join(".portkeeper-direct")).unwrap();
        fs::create_dir(base.path().join(name())).unwrap();
        fs::write(base.path().join(name()).join("1-1"), "secret").unwrap();
        remove_leftovers(&directory);
        let mut left = directory.names().unwrap();
        left.sort();
        assert_eq!(left, [".portkeeper", ".portkeeper-aB3dE67", ".portkeeper-direct", ".portkeeper-notes"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_in_use_stays_until_the_last_has_gone() {
        let base = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(base.path()).unwrap());
        let open = || Staging::open(&directory, base.path()).unwrap();
        let (one, two) = (open(), Arc::new(open()));
        let file = Staging::create(&two, true).unwrap();
        remove_leftovers(&directory);
        drop(one);
        assert_eq!(directory.names().unwrap(), [name()]);
        assert_eq!(fs::read_to_string(base.path().join(name()).join(".gitignore")).unwrap(), "*\n");
        drop((file, two));
        assert_eq!(directory.names().unwrap(), <[OsString; 0]>::default());
    }
}

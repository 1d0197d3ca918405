//! Directories by their paths, where the platform has no operations relative to an open one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::links::link_error;
use super::regular::refuse_kind;

/// Who may do what with a file. Files have no owners here, and a new one is as private as its directory.
#[derive(Debug, Clone)]
pub struct Replaced(fs::Permissions);

impl Replaced {
    /// The file that the metadata is of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self(metadata.permissions())
    }

    /// Gives the permissions to a new file.
    ///
    /// # Errors
    /// What the system reports.
    pub fn bequeath(&self, file: &File) -> io::Result<()> {
        file.set_permissions(self.0.clone())
    }
}

/// A directory.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// The directory that the path leads to, after every link.
    ///
    /// # Errors
    /// What the system reports.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if path.is_dir() { Ok(Self { path }) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// The directory of an absolute path, if no part of it is a link.
    ///
    /// # Errors
    /// What the system reports; a link is an error.
    pub fn open_without_links(path: &Path) -> io::Result<Self> {
        refuse_links(path)?;
        if path.is_dir() { Ok(Self { path: path.to_owned() }) } else { Self::open(path) }
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// What the system reports.
    pub fn metadata(&self) -> io::Result<Metadata> {
        fs::metadata(&self.path)
    }

    /// A directory below; the same one for an empty path.
    ///
    /// # Errors
    /// What the system reports; a link on the way or at its end is an error.
    pub fn descend(&self, below: &Path) -> io::Result<Self> {
        Self::open_without_links(&self.path.join(below))
    }

    /// A file below, for reading. Ask its metadata what it is.
    ///
    /// # Errors
    /// What the system reports; a link on the way or at its end is an error.
    pub fn open_file(&self, below: &Path) -> io::Result<File> {
        let path = self.path.join(below);
        refuse_links(&path)?;
        File::open(path)
    }

    /// What a file in this directory is, if it may be written.
    ///
    /// # Errors
    /// What the system reports.
    pub fn writable(&self, name: &OsStr) -> io::Result<Metadata> {
        OpenOptions::new().write(true).open(self.path.join(name))?.metadata()
    }

    /// Makes a file with this content in this directory. It must not be there yet.
    ///
    /// # Errors
    /// What the system reports. Then there is no such file, or another one.
    pub fn create_whole(&self, name: &OsStr, content: &[u8]) -> io::Result<()> {
        self.create(name, 0o600)?.write_all(content).inspect_err(|_| {
            let _ = self.remove_file(name);
        })
    }

    /// What a new file is to replace; none when there is no file, or a link, which is replaced as such.
    ///
    /// # Errors
    /// What the system reports, or what is there in place of a file.
    pub fn replaced(&self, name: &OsStr) -> io::Result<Option<Replaced>> {
        match self.path.join(name).symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => {
                let found = found?;
                refuse_kind(found.is_dir(), found.is_file() || found.is_symlink())?;
                Ok(found.is_file().then(|| Replaced::of(&found)))
            }
        }
    }

    /// Makes a file in this directory that must not be there yet.
    ///
    /// # Errors
    /// What the system reports.
    pub fn create(&self, name: &OsStr, _mode: u32) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    /// Makes a directory in this one.
    ///
    /// # Errors
    /// What the system reports.
    pub fn make(&self, name: &OsStr, _private: bool) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    /// Moves a file of this directory into another one, in place of what has the name there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        fs::rename(self.path.join(name), to.path.join(new))
    }

    /// The same, if nothing has the name there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn rename_new(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        self.link(name, to, new)?;
        self.remove_file(name)
    }

    /// Gives a file of this directory a second name in another one.
    ///
    /// # Errors
    /// What the system reports, also that something has the name.
    pub fn link(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(name), to.path.join(new))
    }

    /// Removes a file of this directory.
    ///
    /// # Errors
    /// What the system reports.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    /// Removes an empty directory of this one.
    ///
    /// # Errors
    /// What the system reports.
    pub fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    /// Whether something has the name, be it a link that leads to nothing.
    #[must_use]
    pub fn has(&self, name: &OsStr) -> bool {
        self.path.join(name).symlink_metadata().is_ok()
    }

    /// Whether the name is that of a regular file.
    #[must_use]
    pub fn has_own_file(&self, name: &OsStr) -> bool {
        self.path.join(name).symlink_metadata().is_ok_and(|metadata| metadata.is_file())
    }

    /// The names in this directory.
    ///
    /// # Errors
    /// What the system reports.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    /// Needs nothing here.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on other platforms")]
    pub fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    /// A directory is as private as the one that it is in.
    ///
    /// # Errors
    /// None.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on other platforms")]
    pub fn make_private(&self) -> io::Result<()> {
        Ok(())
    }

    /// Says that it is in use. False when it has been removed in the meantime.
    #[must_use]
    pub fn begin_use(&self) -> bool {
        self.path.is_dir()
    }

    /// Whether this is the only one that uses it: a file that is open is not removed there.
    #[must_use]
    #[expect(clippy::unused_self, reason = "as on other platforms")]
    pub fn is_unused(&self) -> bool {
        true
    }
}

/// An error if a part of the path is a link, or a junction. Paths are not compared as texts: they may differ in case.
fn refuse_links(path: &Path) -> io::Result<()> {
    let is_link = |part: &Path| part.symlink_metadata().is_ok_and(|found| found.is_symlink());
    if path.ancestors().any(is_link) { Err(link_error()) } else { Ok(()) }
}

//! Directories by their descriptors: what is done through one happens in that directory, wherever its path leads by now.
//!
//! Below a directory no symbolic link is followed, in any part of a path. So a process that swaps directories and links cannot lead a
//! read or a write elsewhere (openat2(2), and one openat(2) for each part where the kernel has no openat2).

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write};
#[cfg(target_os = "linux")]
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

#[cfg(target_os = "linux")]
use rustix::fs::ResolveFlags;
use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RawMode};
use rustix::io::Errno;

use super::links::link_error;
use super::regular::refuse_kind;

/// Whose a file was, and who may do what with it.
#[derive(Debug, Clone)]
pub struct Replaced {
    mode: RawMode,
    user: u32,
    group: u32,
}

impl Replaced {
    /// The file that the metadata is of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { mode: metadata.mode() as RawMode, user: metadata.uid(), group: metadata.gid() }
    }

    /// Gives owner and group, as far as the system allows it, and then the nine bits of permission to a new file: a change of owner may
    /// take bits away (chown(2)). What makes a program run as its owner or group is never given to a new text.
    ///
    /// # Errors
    /// What the system reports.
    pub fn bequeath(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        if own.gid() != self.group {
            let _ = fchown(file, None, Some(self.group));
        }
        if own.uid() != self.user {
            let _ = fchown(file, Some(self.user), None);
        }
        Ok(rustix::fs::fchmod(file, Mode::from_raw_mode(self.mode & 0o777))?)
    }
}

/// An open directory.
#[derive(Debug)]
pub struct Directory {
    file: File,
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// A directory to go through, which needs no right to list it.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = DIRECTORY;
/// No part of a path may be a link.
#[cfg(target_os = "linux")]
const NO_LINKS: ResolveFlags = ResolveFlags::NO_SYMLINKS.union(ResolveFlags::NO_MAGICLINKS);
/// NONBLOCK: a pipe in the file's place must not make us wait for its other end.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

impl Directory {
    /// The directory that the path leads to, after every link.
    ///
    /// # Errors
    /// What the system reports.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty())?;
        Ok(Self { file: File::from(fd) })
    }

    /// The directory of an absolute path, if no part of it is a link.
    ///
    /// # Errors
    /// What the system reports; a link is an error.
    pub fn open_without_links(path: &Path) -> io::Result<Self> {
        Self::open(Path::new("/"))?.descend(path.strip_prefix("/").unwrap_or(path))
    }

    /// The directory of an absolute path, if no part of it is a link, to look for files in: it need not be readable.
    ///
    /// # Errors
    /// What the system reports; a link is an error.
    pub fn search(path: &Path) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        match openat2(rustix::fs::CWD, path, STEP, NO_LINKS) {
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => {}
            opened => return Ok(Self { file: opened.map_err(explain_link)?.into() }),
        }
        let root = Self { file: rustix::fs::open("/", STEP, Mode::empty())?.into() };
        match path.strip_prefix("/") {
            Ok(below) if below.as_os_str().is_empty() => Ok(root),
            below => Ok(Self { file: root.step_by_step(below.unwrap_or(path), STEP)?.into() }),
        }
    }

    /// The directory with the name in this one, to look for files in.
    ///
    /// # Errors
    /// What the system reports; a link is an error.
    pub fn step(&self, name: &OsStr) -> io::Result<Self> {
        Ok(Self { file: self.walk(Path::new(name), STEP)?.into() })
    }

    /// The directory that this one is in, to look for files in.
    ///
    /// # Errors
    /// What the system reports.
    pub fn parent(&self) -> io::Result<Self> {
        Ok(Self { file: rustix::fs::openat(&self.file, "..", STEP, Mode::empty())?.into() })
    }

    /// What the system knows of it.
    ///
    /// # Errors
    /// What the system reports.
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.file.metadata()
    }

    /// A symbolic link in this directory: the user id of its owner, and where it leads.
    ///
    /// # Errors
    /// What the system reports, also that another link has taken its place.
    pub fn link_at(&self, name: &OsStr) -> io::Result<(u32, PathBuf)> {
        let look = || rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW);
        let (before, aim, after) = (look()?, rustix::fs::readlinkat(&self.file, name, Vec::new())?, look()?);
        if (before.st_dev, before.st_ino, before.st_uid) != (after.st_dev, after.st_ino, after.st_uid) {
            return Err(io::Error::other("replaced in the meantime"));
        }
        Ok((before.st_uid, OsString::from_vec(aim.into_bytes()).into()))
    }

    /// A directory below; the same one for an empty path.
    ///
    /// # Errors
    /// What the system reports; a link on the way or at its end is an error.
    pub fn descend(&self, below: &Path) -> io::Result<Self> {
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        Ok(Self { file: self.walk(below, DIRECTORY)?.into() })
    }

    /// A file below, for reading. Ask its metadata what it is: it may be a pipe or a device.
    ///
    /// # Errors
    /// What the system reports; a link on the way or at its end is an error.
    pub fn open_file(&self, below: &Path) -> io::Result<File> {
        Ok(self.walk(below, READ)?.into())
    }

    /// What a file in this directory is, if it may be written.
    ///
    /// # Errors
    /// What the system reports.
    pub fn writable(&self, name: &OsStr) -> io::Result<Metadata> {
        let flags = READ.difference(OFlags::RDONLY).union(OFlags::WRONLY).union(OFlags::NOFOLLOW);
        File::from(rustix::fs::openat(&self.file, name, flags, Mode::empty())?).metadata()
    }

    /// Makes a file in this directory that must not be there yet, with what the umask leaves of the mode.
    ///
    /// # Errors
    /// What the system reports.
    pub fn create(&self, name: &OsStr, mode: u32) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.file, name, flags, Mode::from_bits_truncate(mode as RawMode))?.into())
    }

    /// Makes a private file (0600) with this content in this directory. It must not be there yet, and where the system can, it appears with
    /// all of its content: a process that is killed in between leaves nothing.
    ///
    /// # Errors
    /// What the system reports. Then there is no such file, or another one.
    pub fn create_whole(&self, name: &OsStr, content: &[u8]) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        match self.link_whole(name, content) {
            // Not every file system can, and it takes /proc.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {}
            made => return made,
        }
        self.create(name, 0o600)?.write_all(content).inspect_err(|_| {
            let _ = self.remove_file(name);
        })
    }

    /// A file without a name (`O_TMPFILE`, open(2)), which gets one.
    #[cfg(target_os = "linux")]
    fn link_whole(&self, name: &OsStr, content: &[u8]) -> io::Result<()> {
        use std::os::fd::AsRawFd;
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let mut file = File::from(rustix::fs::openat(&self.file, ".", flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(content)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        Ok(rustix::fs::linkat(rustix::fs::CWD, path, &self.file, name, AtFlags::SYMLINK_FOLLOW)?)
    }

    /// Mode and owner of the file that a new one is to replace; none when there is no file, or a link, which is replaced as such.
    ///
    /// # Errors
    /// What the system reports, or what is there in place of a file: a device is never replaced.
    pub fn replaced(&self, name: &OsStr) -> io::Result<Option<Replaced>> {
        let found = match rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(None),
            found => found?,
        };
        let kind = FileType::from_raw_mode(found.st_mode);
        refuse_kind(kind.is_dir(), kind.is_file() || kind.is_symlink())?;
        let replaced = Replaced { mode: found.st_mode as RawMode, user: found.st_uid, group: found.st_gid };
        Ok(kind.is_file().then_some(replaced))
    }

    /// Makes a directory in this one: private (0700), or with what the umask leaves of 0777.
    ///
    /// # Errors
    /// What the system reports.
    pub fn make(&self, name: &OsStr, private: bool) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(&self.file, name, Mode::from_raw_mode(if private { 0o700 } else { 0o777 }))?)
    }

    /// Moves a file of this directory into another one, in place of what has the name there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn rename(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.file, name, &to.file, new)?)
    }

    /// The same, if nothing has the name there.
    ///
    /// # Errors
    /// What the system reports.
    pub fn rename_new(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        let flags = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&self.file, name, &to.file, new, flags) {
            // Not every file system can.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                self.link(name, to, new)?;
                self.remove_file(name)
            }
            result => Ok(result?),
        }
    }

    /// Gives a file of this directory a second name in another one.
    ///
    /// # Errors
    /// What the system reports, also that something has the name.
    pub fn link(&self, name: &OsStr, to: &Self, new: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::linkat(&self.file, name, &to.file, new, AtFlags::empty())?)
    }

    /// Removes a file of this directory.
    ///
    /// # Errors
    /// What the system reports.
    pub fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::empty())?)
    }

    /// Removes an empty directory of this one.
    ///
    /// # Errors
    /// What the system reports.
    pub fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.file, name, AtFlags::REMOVEDIR)?)
    }

    /// Whether something has the name, be it a link that leads to nothing.
    #[must_use]
    pub fn has(&self, name: &OsStr) -> bool {
        rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    /// Whether the name is that of a regular file of this user.
    #[must_use]
    pub fn has_own_file(&self, name: &OsStr) -> bool {
        rustix::fs::statat(&self.file, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|found| {
            let kind = FileType::from_raw_mode(found.st_mode);
            kind.is_file() && found.st_uid == rustix::process::geteuid().as_raw()
        })
    }

    /// The names in this directory.
    ///
    /// # Errors
    /// What the system reports.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let name = |entry: rustix::fs::DirEntry| OsString::from_vec(entry.file_name().to_bytes().to_vec());
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.file)? {
            names.push(name(entry?));
        }
        names.retain(|name| name != "." && name != "..");
        Ok(names)
    }

    /// Makes what was renamed in it survive a power failure (fsync(2)), where the file system can.
    ///
    /// # Errors
    /// What the system reports.
    pub fn sync(&self) -> io::Result<()> {
        match self.file.sync_all() {
            Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }

    /// Closes it to other users.
    ///
    /// # Errors
    /// It belongs to another user, or what the system reports.
    pub fn make_private(&self) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let metadata = self.file.metadata()?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!("belongs to user {}: remove it, or move it away", metadata.uid())));
        }
        if metadata.mode() & 0o777 != 0o700 {
            self.file.set_permissions(std::fs::Permissions::from_mode(0o700))?;
        }
        Ok(())
    }

    /// Says that it is in use, until it is closed. False when it has been removed in the meantime.
    #[must_use]
    pub fn begin_use(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        // A file system without locks goes without.
        let _ = rustix::fs::flock(&self.file, FlockOperation::LockShared);
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() > 0)
    }

    /// Whether this is the only one that uses it. Then no other process begins to before it is closed.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
    }

    #[cfg(target_os = "linux")]
    fn walk(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        match openat2(&self.file, below, flags, NO_LINKS.union(ResolveFlags::BENEATH)) {
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.step_by_step(below, flags),
            result => result.map_err(explain_link),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn walk(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        self.step_by_step(below, flags)
    }

    fn step_by_step(&self, below: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let mut at = rustix::io::fcntl_dupfd_cloexec(&self.file, 0)?;
        let mut parts = below.components().peekable();
        while let Some(part) = parts.next() {
            let name = match part {
                Component::CurDir => OsStr::new("."),
                Component::Normal(name) => name,
                _ => return Err(explain_link(Errno::XDEV)),
            };
            let flags = if parts.peek().is_some() { STEP } else { flags };
            at = rustix::fs::openat(&at, name, flags | OFlags::NOFOLLOW, Mode::empty()).map_err(|error| {
                let found = rustix::fs::statat(&at, name, AtFlags::SYMLINK_NOFOLLOW);
                let is_link = found.is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink);
                explain_link(if is_link { Errno::LOOP } else { error })
            })?;
        }
        Ok(at)
    }
}

#[cfg(target_os = "linux")]
fn openat2(at: impl AsFd, path: &Path, flags: OFlags, resolve: ResolveFlags) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(at, path, flags, Mode::empty(), resolve)
}

/// The system's own words for it (too many levels, cross-device link) mislead.
fn explain_link(error: Errno) -> io::Error {
    match error {
        Errno::LOOP | Errno::XDEV => link_error(),
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::super::is_link_error;
    use super::*;

    #[test]
    fn no_way_leads_through_a_link() {
        let base = tempfile::tempdir().unwrap();
        let (inside, outside) = (base.path().join("inside"), base.path().join("outside"));
        for directory in [&inside, &outside] {
            std::fs::create_dir_all(directory.join("sub")).unwrap();
            std::fs::write(directory.join("sub/file"), "text").unwrap();
        }
        symlink(&outside, inside.join("out")).unwrap();
        symlink("sub", inside.join("link")).unwrap();
        symlink("sub/file", inside.join("last")).unwrap();
        let root = Directory::open(&inside).unwrap();
        assert!(root.open_file(Path::new("sub/file")).is_ok());
        assert!(root.step_by_step(Path::new("sub/file"), READ).is_ok());
        for path in ["out/sub/file", "link/file", "last"] {
            assert!(is_link_error(&root.open_file(Path::new(path)).unwrap_err()), "{path}");
            assert!(is_link_error(&root.step_by_step(Path::new(path), READ).unwrap_err()), "{path}");
        }
        assert!(root.open_file(Path::new("../outside/sub/file")).is_err());
        assert!(root.step_by_step(Path::new("../outside/sub/file"), READ).is_err());
        assert!(root.open_file(&outside.join("sub/file")).is_err(), "an absolute path");
    }

    #[test]
    fn a_directory_stays_the_same_wherever_its_path_leads() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("a");
        std::fs::create_dir(&path).unwrap();
        let directory = Directory::open(&path).unwrap();
        std::fs::rename(&path, base.path().join("b")).unwrap();
        std::fs::create_dir(&path).unwrap();
        drop(directory.create(OsStr::new("new"), 0o600).unwrap());
        assert!(base.path().join("b/new").exists() && !path.join("new").exists());
        assert_eq!(directory.names().unwrap(), ["new"]);
    }
}

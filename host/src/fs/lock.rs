//! The only place that locks.
//!
//! A lock is a file beside the data, held with flock(2). It is never deleted: a second process could hold the lock on a deleted
//! file while a third makes a new one. The kernel lets go of it when its process ends, however that happens.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use fs2::{FileExt, TryLockError};
use thiserror::Error;

use super::{FileId, PathContext, PathError, create_private, describe, open_private};

/// After this long without the lock, the user is shown what is waited for.
const QUIET: Duration = Duration::from_millis(500);

/// How long to wait for a lock, and how a long wait is announced.
#[derive(Clone, Copy)]
pub struct LockOptions<'a> {
    /// From the first try until giving up. Zero tries once.
    pub timeout: Duration,
    /// Called once when the wait gets long.
    pub announce: &'a (dyn Fn(&Waiting) + Sync),
}

impl Default for LockOptions<'_> {
    /// Ten seconds, and no announcement.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), announce: &|_| () }
    }
}

impl LockOptions<'_> {
    /// When the patience of a caller that begins to wait now is over. A clock has an end, and a century is as good as forever.
    fn deadline(&self) -> Instant {
        const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
        Instant::now() + self.timeout.min(CENTURY)
    }
}

impl fmt::Debug for LockOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// A wait for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The lock file.
    pub path: PathBuf,
    /// The pid that holds the lock, where the system reports it.
    pub holder: Option<u32>,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is locked", self.path.display())?;
        self.holder.map_or(Ok(()), |pid| write!(f, " by process {pid}"))
    }
}

/// Why a lock was not taken.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process kept it for too long.
    #[error("{waiting}, still after {} s: wait longer with --lock-timeout, or end that process", .timeout.as_secs_f64())]
    Timeout {
        /// What was waited for.
        waiting: Waiting,
        /// How long.
        timeout: Duration,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] PathError),
}

impl LockError {
    /// The file or directory that cannot be used, if that is why.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(error) => Some(&error.path),
            Self::Timeout { .. } => None,
        }
    }

    /// The same error, with the time that was waited in all.
    fn after(self, whole: Duration) -> Self {
        match self {
            Self::Timeout { waiting, .. } => Self::Timeout { waiting, timeout: whole },
            other => other,
        }
    }
}

/// An exclusive lock, held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock of the file, which is created when it is not there.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn acquire(path: &Path, patience: &LockOptions<'_>) -> Result<Self, LockError> {
        let deadline = patience.deadline();
        loop {
            let left = LockOptions { timeout: deadline.saturating_duration_since(Instant::now()), ..*patience };
            let (file, metadata) = open_private(path)?;
            let lock = Self::acquire_file(file, path, &left).map_err(|error| error.after(patience.timeout))?;
            // The file may have been removed while we opened it or waited: then others lock another one, and this lock excludes nothing.
            if is_file_at(&metadata, path).at(path)? {
                return Ok(lock);
            }
        }
    }

    /// Makes a private file with this content and locks it: a file that is seen locked has its content.
    ///
    /// # Errors
    /// The file is there already, or cannot be written; then it is removed again.
    pub fn on_new_file(path: &Path, content: &[u8]) -> Result<Self, PathError> {
        let file = create_private(path)?;
        let written = (&file).write_all(content).and_then(|()| lock(&file)).at(path);
        if written.is_err() {
            let _ = std::fs::remove_file(path);
        }
        written.map(|()| Self { file })
    }

    /// The lock that another process has handed over with its file: it belongs to the open file, not to a process (flock(2)).
    #[must_use]
    pub fn handed_over(file: File) -> Self {
        Self { file }
    }

    /// The locked file.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    fn acquire_file(file: File, path: &Path, patience: &LockOptions<'_>) -> Result<Self, LockError> {
        match uninterrupted(|| FileExt::try_lock(&file)) {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => wait(file, path, patience),
            Err(TryLockError::Error(error)) => Err(error).at(path).map_err(LockError::File),
        }
    }
}

/// Waits in a thread, because flock(2) knows no deadline. A caller that gives up leaves the thread behind; should the thread
/// get the lock later, it finds no receiver and lets go.
fn wait(file: File, path: &Path, patience: &LockOptions<'_>) -> Result<Lock, LockError> {
    let file_id = file.metadata().ok().and_then(|metadata| FileId::of(&metadata));
    let deadline = patience.deadline();
    let (sender, receiver) = channel();
    let take = move || {
        let locked = lock(&file).map(|()| file);
        let _ = sender.send(locked);
    };
    let no_thread =
        |error| io::Error::other(format!("locked, and there is no thread to wait in: {}", describe(&error)));
    thread::Builder::new().name("lock".to_owned()).spawn(take).map_err(no_thread).at(path)?;
    let waiting = || Waiting { path: path.to_owned(), holder: file_id.and_then(holder_of) };
    let mut answer = receiver.recv_timeout(QUIET.min(patience.timeout));
    if answer.is_err() && patience.timeout > QUIET {
        (patience.announce)(&waiting());
        answer = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
    match answer {
        Ok(locked) => Ok(Lock { file: locked.at(path)? }),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            Err(LockError::Timeout { waiting: waiting(), timeout: patience.timeout })
        }
    }
}

/// Whether the lock of the file is held; none when there is no such file. The check keeps no process from locking.
///
/// # Errors
/// The file cannot be opened.
pub fn is_locked(path: &Path) -> Result<Option<bool>, PathError> {
    loop {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.at(path)?,
        };
        match uninterrupted(|| FileExt::try_lock_shared(&file)) {
            Err(TryLockError::WouldBlock) => return Ok(Some(true)),
            Err(TryLockError::Error(error)) => return Err(error).at(path),
            // Another file may have taken its place since it was opened, locked by the same holder.
            Ok(()) if is_file_at(&file.metadata().at(path)?, path).at(path)? => return Ok(Some(false)),
            Ok(()) => {}
        }
    }
}

/// Waits for the lock, and goes on waiting after a signal (EINTR, flock(2)).
fn lock(file: &File) -> io::Result<()> {
    loop {
        match FileExt::lock(file) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}

fn uninterrupted(mut take: impl FnMut() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    loop {
        match take() {
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            taken => return taken,
        }
    }
}

/// Whether the open file, of which this is known, is the one that the path leads to now.
#[cfg(unix)]
fn is_file_at(file: &Metadata, path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(there) => Ok(FileId::of(&there) == FileId::of(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// An open file cannot be removed or replaced.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "fails on other platforms")]
fn is_file_at(_: &Metadata, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// The process that holds a lock on the file, from `/proc/locks` (proc_locks(5)), whose sixth field is `major:minor:inode`, the device in
/// hexadecimal. Where there is no such file, or the holder lives in another pid namespace, it is unknown; so it is where a file system
/// shows files under another device than its own (btrfs, overlayfs): a number alone may be that of another file system's file.
#[cfg(target_os = "linux")]
fn holder_of(FileId { device, inode }: FileId) -> Option<u32> {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let locked = format!("{major:02x}:{minor:02x}:{inode}");
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields[..] else { return None };
        (file == locked).then(|| pid.parse().ok()).flatten().filter(|&pid| pid != 0)
    })
}

#[cfg(not(target_os = "linux"))]
fn holder_of(_: FileId) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(millis: u64) -> LockOptions<'static> {
        LockOptions { timeout: Duration::from_millis(millis), announce: &|_| () }
    }

    #[test]
    fn the_longest_patience_is_no_overflow() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        Lock::acquire(&path, &LockOptions { timeout: Duration::MAX, announce: &|_| () }).unwrap();
    }

    #[test]
    fn a_second_taker_is_told_who_has_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _held = Lock::acquire(&path, &patience(0)).unwrap();
        let error = Lock::acquire(&path, &patience(20)).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains("--lock-timeout"), "{error}");
        #[cfg(target_os = "linux")]
        assert!(error.contains(&format!("by process {}", std::process::id())), "{error}");
    }

    #[test]
    fn a_waiter_gets_the_lock_when_it_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Lock::acquire(&path, &patience(0)).unwrap();
        let waiter = thread::spawn({
            let path = path.clone();
            move || Lock::acquire(&path, &patience(10_000)).map(drop)
        });
        drop(held);
        waiter.join().unwrap().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_file_that_is_removed_while_it_is_waited_for_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Lock::acquire(&path, &patience(0)).unwrap();
        let (announced, heard) = channel();
        let waiter = thread::spawn({
            let path = path.clone();
            move || {
                let announce = move |_: &Waiting| announced.send(()).unwrap();
                Lock::acquire(&path, &LockOptions { timeout: Duration::from_secs(60), announce: &announce })
            }
        });
        heard.recv().unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = Lock::acquire(&path, &patience(10_000)).unwrap();
        drop(held);
        drop(second);
        let third = waiter.join().unwrap().unwrap();
        assert!(is_file_at(&third.file().metadata().unwrap(), &path).unwrap(), "what is locked is what others find");
    }
}

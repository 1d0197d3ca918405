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

use super::{PathContext, PathError, create_private, describe, open_private};

/// After this long without the lock, the user is told who is waited for.
const QUIET: Duration = Duration::from_millis(500);

/// How long to wait for a lock, and whom to tell about it.
#[derive(Clone, Copy)]
pub struct LockOptions<'a> {
    /// From the first try until giving up. Zero tries once.
    pub timeout: Duration,
    /// Called once when the wait gets long.
    pub announce: &'a (dyn Fn(&Waiting) + Sync),
}

impl Default for LockOptions<'_> {
    /// Ten seconds, and nobody to tell.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), announce: &|_| () }
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
    /// The pid that holds the lock, where the system tells.
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
        /// Who was waited for.
        waiting: Waiting,
        /// How long.
        timeout: Duration,
    },
    /// The lock file cannot be used.
    #[error(transparent)]
    File(#[from] PathError),
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
        Self::acquire_file(open_private(path)?, path, patience)
    }

    /// Takes the lock of a directory itself, so that no file has to be made in it.
    ///
    /// # Errors
    /// [`LockError`].
    #[cfg(unix)]
    pub fn acquire_directory(path: &Path, patience: &LockOptions<'_>) -> Result<Self, LockError> {
        Self::acquire_file(File::open(path).at(path)?, path, patience)
    }

    /// Makes a private file with this content that nobody has seen unlocked.
    ///
    /// # Errors
    /// The file is there already, or cannot be written; then it is removed again.
    pub fn on_new_file(path: &Path, content: &[u8]) -> Result<Self, PathError> {
        let file = create_private(path)?;
        let written = FileExt::lock(&file).and_then(|()| (&file).write_all(content)).at(path);
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
        match FileExt::try_lock(&file) {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => wait(file, path, patience),
            Err(TryLockError::Error(error)) => Err(error).at(path).map_err(LockError::File),
        }
    }
}

/// Waits in a thread, because flock(2) knows no deadline. Whoever gives up leaves the thread behind; should it get the lock
/// later, it finds nobody to hand it to and lets go.
fn wait(file: File, path: &Path, patience: &LockOptions<'_>) -> Result<Lock, LockError> {
    let inode = inode(&file);
    let deadline = Instant::now() + patience.timeout;
    let (sender, receiver) = channel();
    let lock = move || {
        let locked = FileExt::lock(&file).map(|()| file);
        let _ = sender.send(locked);
    };
    let no_thread =
        |error| io::Error::other(format!("locked, and there is no thread to wait in: {}", describe(&error)));
    thread::Builder::new().name("lock".to_owned()).spawn(lock).map_err(no_thread).at(path)?;
    let waiting = || Waiting { path: path.to_owned(), holder: inode.and_then(holder_of) };
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

/// Whether somebody has the lock of the file; none when there is no such file. Nobody is kept from locking by the question.
///
/// # Errors
/// The file cannot be opened.
pub fn is_locked(path: &Path) -> Result<Option<bool>, PathError> {
    loop {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.at(path)?,
        };
        match FileExt::try_lock_shared(&file) {
            Err(TryLockError::WouldBlock) => return Ok(Some(true)),
            Err(TryLockError::Error(error)) => return Err(error).at(path),
            // Another file may have taken its place since it was opened, locked by the same holder.
            Ok(()) if inode(&file) == std::fs::metadata(path).ok().and_then(|now| inode_of(&now)) => {
                return Ok(Some(false));
            }
            Ok(()) => {}
        }
    }
}

#[cfg(unix)]
fn inode(file: &File) -> Option<u64> {
    file.metadata().ok().and_then(|metadata| inode_of(&metadata))
}

#[cfg(not(unix))]
fn inode(_: &File) -> Option<u64> {
    None
}

#[cfg(unix)]
fn inode_of(metadata: &Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::ino(metadata))
}

#[cfg(not(unix))]
fn inode_of(_: &Metadata) -> Option<u64> {
    None
}

/// The process that holds a lock on the inode, from `/proc/locks` (proc_locks(5)), whose sixth field is `major:minor:inode`.
/// Where there is no such file, or the holder lives in another pid namespace, nobody knows.
fn holder_of(inode: u64) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, file, ..] = fields[..] else { return None };
        let same = file.rsplit(':').next()?.parse() == Ok(inode);
        same.then(|| pid.parse().ok()).flatten().filter(|&pid| pid != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience(millis: u64) -> LockOptions<'static> {
        LockOptions { timeout: Duration::from_millis(millis), announce: &|_| () }
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
}

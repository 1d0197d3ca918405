//! Hold files: one for each holder, in a directory beside the registry.
//!
//! A hold file is locked for as long as its holder lives, and the lock is all that counts: pids are used again, locks are not. Its
//! content is a small registry of what is held, so that a registry that is lost can be put together again. Beside it stands the
//! holder's control socket.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use super::HoldError;
#[cfg(target_os = "linux")]
use crate::fs::{Lock, PathContext, PathError, create_private_dir};
use crate::fs::{is_locked, read_private};
use crate::model::{HoldId, Reservation};
use crate::os::Liveness;
use crate::registry::read;
#[cfg(target_os = "linux")]
use crate::registry::write;

/// No holder has that many ports.
const LARGEST: u64 = 64 << 20;

/// The directory of the hold files of one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldDirectory(PathBuf);

impl HoldDirectory {
    /// The one that belongs to the registry file. Nothing is made yet.
    #[must_use]
    pub fn beside(registry: &Path) -> Self {
        let mut name = registry.as_os_str().to_owned();
        name.push(".holds");
        Self(PathBuf::from(name))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Whether the holder with this file lives; unknown when the directory itself cannot be seen.
    #[must_use]
    pub fn liveness(&self, id: HoldId) -> Liveness {
        match is_locked(&self.file(id)) {
            Ok(Some(true)) => Liveness::Alive,
            Ok(Some(false)) => Liveness::Ended,
            Ok(None) if self.0.is_dir() => Liveness::Ended,
            Ok(None) | Err(_) => Liveness::Unknown,
        }
    }

    /// What the holders that live say they hold, except for those with these files.
    #[must_use]
    pub fn held(&self, except: &HashSet<HoldId>) -> Vec<Reservation> {
        let files = self.files().into_iter().filter(|id| !except.contains(id));
        files.filter(|id| self.liveness(*id) == Liveness::Alive).flat_map(|id| self.read(id)).collect()
    }

    /// What the hold file lists, whether its holder lives or not.
    pub(super) fn read(&self, id: HoldId) -> Vec<Reservation> {
        let bytes = read_private(&self.file(id), LARGEST).ok().flatten();
        bytes.and_then(|bytes| read(&bytes).ok()).unwrap_or_default()
    }

    /// Removes what dead holders left. Only under the registry's lock: a holder that is being born has a file that it has not
    /// locked yet.
    pub fn sweep(&self) {
        for id in self.files() {
            if self.liveness(id) == Liveness::Ended {
                self.remove(id);
            }
        }
    }

    /// Makes and locks a file. Only under the registry's lock.
    #[cfg(target_os = "linux")]
    pub(super) fn create(&self, id: HoldId, reservations: &[Reservation]) -> Result<Lock, HoldError> {
        create_private_dir(&self.0)?;
        Ok(Lock::on_new_file(&self.file(id), &write(reservations))?)
    }

    /// Puts another content in the place of the file's own. The lock that comes back is the new file's; whoever looks sees one of
    /// the two, locked.
    #[cfg(target_os = "linux")]
    pub(super) fn rewrite(&self, id: HoldId, reservations: &[Reservation]) -> Result<Lock, PathError> {
        let (path, new) = (self.file(id), self.0.join(format!("{id}.new")));
        let _ = std::fs::remove_file(&new);
        let lock = Lock::on_new_file(&new, &write(reservations))?;
        std::fs::rename(&new, &path).at(&path)?;
        Ok(lock)
    }

    /// Removes a holder's file and socket.
    pub(super) fn remove(&self, id: HoldId) {
        for path in [self.socket(id), self.file(id)] {
            let _ = std::fs::remove_file(path);
        }
    }

    pub(super) fn file(&self, id: HoldId) -> PathBuf {
        self.0.join(format!("{id}.json"))
    }

    pub(super) fn socket(&self, id: HoldId) -> PathBuf {
        self.0.join(format!("{id}.sock"))
    }

    fn files(&self) -> Vec<HoldId> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let id = |entry: std::fs::DirEntry| {
            HoldId::try_from(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()).ok()
        };
        entries.filter_map(id).collect()
    }
}

impl From<PathBuf> for HoldDirectory {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

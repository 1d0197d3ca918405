//! Hold files: one for each holder, in a directory beside the registry.
//!
//! A hold file is locked for as long as its holder lives, and the lock is all that counts: pids are used again, locks are not. Its
//! content is a small registry of what is held, so that a registry that is lost can be put together again. Beside it stands the
//! holder's control socket.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use super::HoldError;
#[cfg(target_os = "linux")]
use crate::fs::{Lock, create_private_dir};
use crate::fs::{PathContext, PathError, beside, is_locked, read_private};
use crate::model::{HoldId, Reservation};
use crate::os::Liveness;
#[cfg(target_os = "linux")]
use crate::registry::write;
use crate::registry::{Contents, read};

/// No holder has that many ports.
const LARGEST: u64 = 64 << 20;

/// What living holders say they hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeldByFiles {
    /// What their files list.
    pub reservations: Vec<Reservation>,
    /// Files that are empty or damaged, or that a newer portkeeper wrote: the kernel keeps ports of theirs that are not known.
    pub unclear: Vec<PathBuf>,
}

/// The directory of the hold files of one registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldDirectory(PathBuf);

impl HoldDirectory {
    /// The one that belongs to the registry file. Nothing is made yet.
    #[must_use]
    pub fn beside(registry: &Path) -> Self {
        Self(beside(registry, "holds"))
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
    ///
    /// # Errors
    /// A file or the directory could not be read, and so may say anything.
    pub fn held(&self, except: &HashSet<HoldId>) -> Result<HeldByFiles, PathError> {
        let mut held = HeldByFiles::default();
        for id in self.files()?.into_iter().filter(|id| !except.contains(id)) {
            if self.liveness(id) == Liveness::Alive {
                match self.contents(id)? {
                    Some(Contents { reservations, is_whole }) => {
                        held.reservations.extend(reservations);
                        held.unclear.extend((!is_whole).then(|| self.file(id)));
                    }
                    // Its holder may have ended just now, and removed it.
                    None => held.unclear.extend(self.file(id).exists().then(|| self.file(id))),
                }
            }
        }
        Ok(held)
    }

    /// All that the hold file lists, whether its holder lives or not; none when it does not say, or is not there.
    #[cfg(target_os = "linux")]
    pub(super) fn read(&self, id: HoldId) -> Result<Option<Vec<Reservation>>, PathError> {
        let whole = self.contents(id)?.filter(|contents| contents.is_whole);
        Ok(whole.map(|contents| contents.reservations))
    }

    fn contents(&self, id: HoldId) -> Result<Option<Contents>, PathError> {
        let bytes = read_private(&self.file(id), LARGEST)?;
        Ok(bytes.and_then(|bytes| read(&bytes).ok()))
    }

    /// Removes what dead holders left. Only under the registry's lock: a holder that is being born has a file that it has not
    /// locked yet.
    ///
    /// # Errors
    /// The directory could not be read.
    pub fn sweep(&self) -> Result<(), PathError> {
        for id in self.files()? {
            if self.liveness(id) == Liveness::Ended {
                self.remove(id);
            }
        }
        Ok(())
    }

    /// Makes and locks a file. Only under the registry's lock.
    #[cfg(target_os = "linux")]
    pub(super) fn create(&self, id: HoldId, reservations: &[Reservation]) -> Result<Lock, HoldError> {
        create_private_dir(&self.0)?;
        Ok(Lock::on_new_file(&self.file(id), &write(reservations))?)
    }

    /// Puts another content in the place of the file's own. The lock that comes back is the new file's; a reader sees one of
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

    fn files(&self) -> Result<Vec<HoldId>, PathError> {
        let entries = match std::fs::read_dir(&self.0) {
            // What a sandbox hides stays hidden: its holders are unknown, and the kernel keeps their ports.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => {
                return Ok(Vec::new());
            }
            entries => entries.at(&self.0)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let name = entry.at(&self.0)?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
            files.extend(id.and_then(|id| HoldId::try_from(id.to_owned()).ok()));
        }
        Ok(files)
    }
}

impl From<PathBuf> for HoldDirectory {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

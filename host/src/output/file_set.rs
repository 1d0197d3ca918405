//! The files of a prepare: as they are, and as they shall be.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::Path;

use super::diff;
use super::read::{self, FileError};
use super::staging;
use super::target::Target;
use super::transaction::{self, Change, WriteError, Written};

/// The files that a prepare reads and writes. Nothing is written before [`FileSet::write`].
#[derive(Debug, Default)]
pub struct FileSet {
    files: Vec<Planned>,
}

/// A file as it was read, and as it shall be.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) target: Target,
    /// None when there was no such file.
    pub(super) old: Option<String>,
    /// What the system knew of the file that was read.
    pub(super) metadata: Option<Metadata>,
    /// None when no text has been put yet.
    pub(super) new: Option<String>,
    pub(super) backup: bool,
    pub(super) sensitive: bool,
}

/// How a file is treated besides its text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handling {
    /// Whether the text from before the first change is kept beside the file as `<name>.bak`. It is made once: one that is there already
    /// is never written again, because it may hold the only copy of what its owner wrote.
    pub backup: bool,
    /// Whether the text stays out of diffs, and a new file away from other users (mode 0600).
    pub sensitive: bool,
}

impl FileSet {
    /// The text of the file as the outputs so far have left it, or as it is on the disk; none when there is no such file. It is read from
    /// the disk once, and later only written if it still is the same there.
    ///
    /// # Errors
    /// [`FileError`] when it is not text, too large or not readable.
    pub fn text(&mut self, target: &Target) -> Result<Option<&str>, FileError> {
        let file = self.file(target)?;
        Ok(file.new.as_deref().or(file.old.as_deref()))
    }

    /// Says what the file shall be. True when that is a change of what [`FileSet::text`] gives.
    ///
    /// # Errors
    /// As [`FileSet::text`]; also when the new text is too large to be read again.
    pub fn put(&mut self, target: &Target, text: String, handling: Handling) -> Result<bool, FileError> {
        if text.len() as u64 > read::LARGEST {
            return Err(FileError::TooLarge(target.real.clone()));
        }
        let changes = self.text(target)? != Some(text.as_str());
        let file = self.file(target)?;
        file.new = Some(text);
        file.backup |= handling.backup;
        file.sensitive |= handling.sensitive;
        Ok(changes)
    }

    fn file(&mut self, target: &Target) -> Result<&mut Planned, FileError> {
        let index = match self.files.iter().position(|file| file.target.real == target.real) {
            Some(index) => index,
            None => {
                let (old, metadata) = read::text(target)?.unzip();
                let target = target.clone();
                self.files.push(Planned { target, old, metadata, new: None, backup: false, sensitive: false });
                self.files.len() - 1
            }
        };
        Ok(&mut self.files[index])
    }

    /// Removes what a killed prepare has left beside the files that are written: copies of their texts. Call it under the project's lock.
    pub fn remove_leftovers(&self) {
        let mut seen = BTreeSet::new();
        for Planned { target, .. } in self.files.iter().filter(|file| file.new.is_some()) {
            if seen.insert(target.real.parent())
                && let Ok(directory) = target.root.descend(target.inside.parent().unwrap_or(Path::new("")))
            {
                staging::remove_leftovers(&directory);
            }
        }
    }

    /// The files that [`FileSet::write`] would write: those that would not be as they are.
    pub fn changed(&self) -> impl Iterator<Item = &Target> {
        self.changes().map(|(file, _)| &file.target)
    }

    fn changes(&self) -> impl Iterator<Item = (&Planned, &str)> {
        self.files.iter().filter(|file| file.new != file.old).filter_map(|file| Some((file, file.new.as_deref()?)))
    }

    /// What [`FileSet::write`] would change, as a unified diff; empty when nothing. Of sensitive files it only counts the lines.
    ///
    /// The text is what plugins and files gave: clean it before it goes to a terminal.
    #[must_use]
    pub fn diff(&self) -> String {
        self.changes().map(|(file, new)| diff::diff(file, new)).collect()
    }

    /// Writes every file that changes, or none.
    ///
    /// Each appears whole and atomically, and survives a power failure once this returns. Mode and, where the system allows it, owner
    /// and group stay; a symbolic link stays one, because the file that it leads to is written. A hard link ends: the other names keep the
    /// old text, as a copy made by hard links is meant to. Missing directories are made. A file that does not change is not touched.
    ///
    /// # Errors
    /// [`WriteError`] says which file and why. Everything is as it was before then, unless it says otherwise.
    pub fn write(self) -> Result<Written, WriteError> {
        let changes = self.files.into_iter().filter(|file| file.new != file.old).filter_map(|file| {
            Some(Change {
                target: file.target,
                old: file.old.map(String::into_bytes),
                metadata: file.metadata,
                new: file.new?.into_bytes(),
                backup: file.backup,
                sensitive: file.sensitive,
            })
        });
        transaction::write(changes.collect())
    }
}

#[cfg(test)]
mod tests;

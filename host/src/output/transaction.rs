//! Several files, all or none.
//!
//! First every new text is written and synced under a temporary name: whatever is likely to fail (a full disk, a directory that may not be
//! written to) fails here, before anything has changed. Then one rename after the other puts them in place, each after a last look at the
//! file. Until the caller lets go of [`Written`], the old files are there under a second name, and a rename brings them back: that needs no
//! space, and they come back with everything that belongs to them.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;

use crate::fs::{PathContext, PathError, begin_writing, directory_of, sync_directory};
use crate::threads::parallel_map;

use super::{place, read};

/// A file that shall be another.
#[derive(Debug)]
pub(super) struct Change {
    /// Without symbolic links.
    pub(super) path: PathBuf,
    /// What was read; none when there was no such file.
    pub(super) old: Option<Vec<u8>>,
    pub(super) new: Vec<u8>,
    pub(super) backup: bool,
    pub(super) sensitive: bool,
}

/// Why the files were not written, and what has become of them.
#[derive(Debug, Error)]
#[error("{fault}; {}", after(.undo.as_ref()))]
pub struct WriteError {
    /// Which file could not be written, and why.
    pub fault: Fault,
    /// What could not be put back; none when everything is as it was.
    pub undo: Option<UndoError>,
}

/// Why a file was not written.
#[derive(Debug, Error)]
pub enum Fault {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] PathError),
    /// Someone else has written the file since it was read.
    #[error("{}: changed by someone else in the meantime, so it was not written; run the command again", .0.display())]
    Changed(PathBuf),
    /// A file's directory has become a link to somewhere else since it was resolved.
    #[error("{}: the directory was replaced by a symbolic link in the meantime", .0.display())]
    Moved(PathBuf),
}

/// Files and directories that could not be put back.
#[derive(Debug, Error)]
pub struct UndoError(pub Vec<PathError>);

impl fmt::Display for UndoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not everything could be put back:")?;
        self.0.iter().try_for_each(|error| write!(f, " {error};"))
    }
}

fn after(undo: Option<&UndoError>) -> String {
    undo.map_or_else(|| "nothing was changed".to_owned(), UndoError::to_string)
}

/// Files that have been written and can still be put back. Dropping it keeps them as they are now.
#[derive(Debug, Default)]
#[must_use = "undo() puts the old files back; to drop it is to keep the new ones"]
pub struct Written {
    files: Vec<Placed>,
    directories: Vec<PathBuf>,
}

#[derive(Debug)]
struct Placed {
    change: Change,
    metadata: Option<Metadata>,
    aside: Option<TempPath>,
    backup: Option<PathBuf>,
}

/// A change whose new text is on the disk under a temporary name.
struct Staged {
    change: Change,
    metadata: Option<Metadata>,
    file: NamedTempFile,
}

pub(super) fn write(changes: Vec<Change>) -> Result<Written, WriteError> {
    let mut written = Written::default();
    match written.apply(changes) {
        Ok(()) => Ok(written),
        Err(fault) => Err(WriteError { fault, undo: written.undo().err() }),
    }
}

impl Written {
    /// The backups that were made.
    pub fn backups(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().filter_map(|file| file.backup.as_deref())
    }

    fn apply(&mut self, changes: Vec<Change>) -> Result<(), Fault> {
        for change in &changes {
            place::make_directories(&change.path, &mut self.directories)?;
        }
        let staged = stage_all(changes)?;
        let directories: BTreeSet<_> = staged.iter().map(|staged| directory_of(&staged.change.path)).collect();
        directories.into_iter().try_for_each(has_stayed)?;
        for staged in staged {
            put_in_place(staged, &mut self.files)?;
        }
        Ok(self.sync()?)
    }

    /// Makes the new names survive a power failure, each directory once.
    fn sync(&self) -> Result<(), PathError> {
        let paths = self.files.iter().map(|file| &file.change.path).chain(&self.directories);
        let directories: BTreeSet<_> = paths.map(|path| directory_of(path)).collect();
        parallel_map(SYNCS, directories.iter(), |directory| sync_directory(directory)).into_iter().collect()
    }

    /// Puts everything back as it was: old files with all that belongs to them; new files, backups and directories are removed.
    /// A file that someone else has changed since it was written is left alone.
    ///
    /// # Errors
    /// [`UndoError`] lists what could not be put back; the rest is.
    pub fn undo(mut self) -> Result<(), UndoError> {
        let touched: BTreeSet<_> = self.files.iter().map(|file| directory_of(&file.change.path).to_owned()).collect();
        let mut errors: Vec<_> = self.files.drain(..).rev().filter_map(|file| file.put_back().err()).collect();
        for directory in self.directories.drain(..).rev() {
            // Someone else may have put a file there, which then keeps its directory.
            if let Err(error) = fs::remove_dir(&directory).at(&directory)
                && error.source.kind() != io::ErrorKind::DirectoryNotEmpty
            {
                errors.push(error);
            }
        }
        for directory in touched.iter().filter(|directory| directory.exists()) {
            errors.extend(sync_directory(directory).err());
        }
        if errors.is_empty() { Ok(()) } else { Err(UndoError(errors)) }
    }
}

/// How many files or directories are synced at once. A disk empties its cache once for those that ask together.
const SYNCS: usize = 3;

/// Stages every change. First all are written and then all are synced: the first sync does most of the work for the others.
fn stage_all(changes: Vec<Change>) -> Result<Vec<Staged>, PathError> {
    let staged = changes.into_iter().map(stage).collect::<Result<Vec<_>, _>>()?;
    staged.iter().for_each(|staged| begin_writing(staged.file.as_file()));
    let sync = |staged: &Staged| staged.file.as_file().sync_all().at(&staged.change.path);
    parallel_map(SYNCS, staged.iter(), sync).into_iter().collect::<Result<(), _>>()?;
    Ok(staged)
}

fn stage(change: Change) -> Result<Staged, PathError> {
    let path = &change.path;
    let metadata = change.old.as_ref().map(|_| place::writable(path).at(path)).transpose()?;
    let file = place::stage_unsynced(path, &change.new, metadata.as_ref(), change.sensitive).at(path)?;
    Ok(Staged { change, metadata, file })
}

/// Looks once more whether the directory is where it was found: what is written must not follow a link that is there by now.
fn has_stayed(directory: &Path) -> Result<(), Fault> {
    if directory.canonicalize().at(directory)? == directory { Ok(()) } else { Err(Fault::Moved(directory.to_owned())) }
}

/// Makes the staged file the real one, and adds it to `placed` as soon as there is something to undo.
fn put_in_place(staged: Staged, placed: &mut Vec<Placed>) -> Result<(), Fault> {
    let Staged { change, metadata, file } = staged;
    let path = change.path.clone();
    if read::bytes(&path).at(&path)? != change.old {
        return Err(Fault::Changed(path));
    }
    let mut next = Placed { change, metadata, aside: None, backup: None };
    next.keep_old()?;
    let renamed = match next.change.old {
        Some(_) => file.persist(&path),
        None => file.persist_noclobber(&path),
    };
    match renamed {
        Ok(_) => {
            placed.push(next);
            Ok(())
        }
        Err(error) => {
            next.remove_backup()?;
            match next.change.old {
                None if error.error.kind() == io::ErrorKind::AlreadyExists => Err(Fault::Changed(path)),
                _ => Err(error.error).at(path)?,
            }
        }
    }
}

impl Placed {
    /// Gives the old file a second name, and copies it when a backup is wanted.
    fn keep_old(&mut self) -> Result<(), PathError> {
        let (Some(old), Some(metadata)) = (&self.change.old, &self.metadata) else { return Ok(()) };
        if self.change.backup {
            self.backup = place::back_up(&self.change.path, old, metadata)?;
        }
        self.aside = place::keep_aside(&self.change.path);
        Ok(())
    }

    fn put_back(mut self) -> Result<(), PathError> {
        let path = &self.change.path;
        if read::bytes(path).at(path)?.as_ref() != Some(&self.change.new) {
            return Err(io::Error::other("changed by someone else since; it is left as it is")).at(path);
        }
        match (&self.change.old, self.aside.take()) {
            (None, _) => fs::remove_file(path).at(path)?,
            (Some(_), Some(aside)) => aside.persist(path).map_err(|error| error.error).at(path)?,
            (Some(old), None) => {
                let file = place::stage(path, old, self.metadata.as_ref(), self.change.sensitive).at(path)?;
                file.persist(path).map(drop).map_err(|error| error.error).at(path)?;
            }
        }
        self.remove_backup()
    }

    fn remove_backup(&mut self) -> Result<(), PathError> {
        self.backup.take().map_or(Ok(()), |backup| fs::remove_file(&backup).at(&backup))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_hard_links_the_old_text_comes_back_from_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("f");
        fs::write(&path, "old").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let permissions = fs::metadata(&path).unwrap().permissions();
        let change = Change {
            path: path.clone(),
            old: Some(b"old".to_vec()),
            new: b"new".to_vec(),
            backup: true,
            sensitive: false,
        };
        let mut written = write(vec![change]).unwrap();
        written.files[0].aside = None;
        written.undo().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::metadata(&path).unwrap().permissions(), permissions);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn more_files_than_threads_are_written_too() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let change = |index: u8| Change {
            path: directory.join(index.to_string()),
            old: None,
            new: vec![index],
            backup: false,
            sensitive: false,
        };
        drop(write((0..50).map(change).collect()).unwrap());
        for index in 0..50 {
            assert_eq!(fs::read(directory.join(index.to_string())).unwrap(), [index]);
        }
    }
}

//! Several files, all or none.
//!
//! First every new text is written and synced under a temporary name: whatever is likely to fail (a full disk, a directory that may not be
//! written to) fails here, before anything has changed. Then one rename after the other puts them in place, each after a last look at the
//! file. Until the caller lets go of [`Written`], the old files are there under a second name, and a rename brings them back: that needs no
//! space, and they come back with everything that belongs to them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::fs::{Directory, PathContext, PathError, begin_writing, directory_of};
use crate::threads::parallel_map;

use super::place::{self, MadeDirectory, Place};
use super::read;
use super::staging::{Kept, Staging, TemporaryFile};
use super::target::Target;

/// A file that shall be another.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) target: Target,
    /// What was read; none when there was no such file.
    pub(super) old: Option<Vec<u8>>,
    /// What the system knew of the very file that was read.
    pub(super) metadata: Option<Metadata>,
    pub(super) new: Vec<u8>,
    pub(super) backup: bool,
    pub(super) sensitive: bool,
}

impl Change {
    fn path(&self) -> &Path {
        &self.target.real
    }

    fn name(&self) -> &OsStr {
        self.target.real.file_name().unwrap_or_default()
    }
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
    /// The file's directory could not be opened, made, or written to.
    #[error("{}: cannot be written: {error}", .file.display())]
    Directory {
        /// The file that was to be written.
        file: PathBuf,
        /// What was found on the way.
        #[source]
        error: PathError,
    },
    /// Another program has written the file since it was read.
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
    directories: Vec<MadeDirectory>,
}

#[derive(Debug)]
struct Placed {
    change: Change,
    place: Arc<Place>,
    aside: Option<Kept>,
    backup: Option<OsString>,
}

/// A change whose new text is on the disk under a temporary name.
struct Staged {
    change: Change,
    place: Arc<Place>,
    file: TemporaryFile,
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
    pub fn backups(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().filter_map(|file| Some(file.place.path.join(file.backup.as_ref()?)))
    }

    fn apply(&mut self, changes: Vec<Change>) -> Result<(), Fault> {
        let mut places = BTreeMap::<PathBuf, Arc<Place>>::new();
        for change in &changes {
            let directory = directory_of(change.path());
            if !places.contains_key(directory) {
                let place = Place::open(&change.target, &mut self.directories)?;
                places.insert(directory.to_owned(), Arc::new(place));
            }
        }
        let place = |change: &Change| Arc::clone(&places[directory_of(change.path())]);
        for staged in stage_all(changes, &place)? {
            put_in_place(staged, &mut self.files)?;
        }
        Ok(self.sync(places.values())?)
    }

    /// Makes the new names survive a power failure, each directory once.
    fn sync<'a>(&self, places: impl Iterator<Item = &'a Arc<Place>>) -> Result<(), PathError> {
        let places = places.map(|place| (place.path.as_path(), &place.directory));
        let made = self.directories.iter().map(|made| (directory_of(&made.path), &made.parent));
        let directories: BTreeMap<&Path, &Arc<Directory>> = made.chain(places).collect();
        let sync = |(path, directory): (&&Path, &&Arc<Directory>)| directory.sync().at(path);
        parallel_map(SYNCS, directories.iter(), sync).into_iter().collect()
    }

    /// Puts everything back as it was: old files with all that belongs to them; new files, backups and directories are removed.
    /// A file that another program has changed since it was written is left alone.
    ///
    /// # Errors
    /// [`UndoError`] lists what could not be put back; the rest is.
    pub fn undo(mut self) -> Result<(), UndoError> {
        let mut touched = BTreeMap::new();
        let mut errors = Vec::new();
        for file in self.files.drain(..).rev() {
            touched.insert(file.place.path.clone(), Arc::clone(&file.place.directory));
            errors.extend(file.put_back().err());
        }
        for (path, directory) in touched {
            errors.extend(directory.sync().at(&path).err());
        }
        for MadeDirectory { parent, name, path } in self.directories.drain(..).rev() {
            // Another program may have put a file there, which then keeps its directory.
            if let Err(error) = parent.remove_directory(&name).at(&path)
                && error.source.kind() != io::ErrorKind::DirectoryNotEmpty
            {
                errors.push(error);
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(UndoError(errors)) }
    }
}

/// How many files or directories are synced in parallel. A disk empties its cache once for requests that come together.
const SYNCS: usize = 3;

/// Stages every change. First all are written and then all are synced: the first sync does most of the work for the others.
fn stage_all(changes: Vec<Change>, place: &dyn Fn(&Change) -> Arc<Place>) -> Result<Vec<Staged>, Fault> {
    let staged = changes.into_iter().map(|change| stage(place(&change), change));
    let staged = staged.collect::<Result<Vec<_>, _>>()?;
    staged.iter().for_each(|staged| begin_writing(staged.file.file()));
    let sync = |staged: &Staged| staged.file.file().sync_all().at(staged.change.path());
    parallel_map(SYNCS, staged.iter(), sync).into_iter().collect::<Result<(), PathError>>()?;
    Ok(staged)
}

fn stage(place: Arc<Place>, change: Change) -> Result<Staged, Fault> {
    let path = change.path();
    if let Some(before) = &change.metadata {
        // A rename would replace even a file that its owner has made read-only.
        let now = place.directory.writable(change.name()).at(path)?;
        if !place::belongs_as_before(before, &now) {
            return Err(Fault::Changed(path.to_owned()));
        }
    }
    let file = place::stage(&place.staging, &change.new, change.metadata.as_ref(), change.sensitive).at(path)?;
    Ok(Staged { change, place, file })
}

/// Makes the staged file the real one, and adds it to `placed` as soon as there is something to undo.
fn put_in_place(staged: Staged, placed: &mut Vec<Placed>) -> Result<(), Fault> {
    let Staged { change, place, file } = staged;
    let (path, name) = (change.path().to_owned(), change.name().to_owned());
    let now = read::bytes(&place.directory, Path::new(&name)).at(&path)?;
    let is_same = match (&now, &change.old, &change.metadata) {
        (None, None, _) => true,
        (Some((bytes, now)), Some(old), Some(before)) => bytes == old && place::belongs_as_before(before, now),
        _ => false,
    };
    if !is_same {
        return Err(Fault::Changed(path));
    }
    let mut next = Placed { change, place, aside: None, backup: None };
    next.keep_old()?;
    let renamed = match next.change.old {
        Some(_) => file.put(&next.place.directory, &name),
        None => file.put_new(&next.place.directory, &name),
    };
    match renamed {
        Ok(()) => {
            placed.push(next);
            Ok(())
        }
        Err(error) => {
            next.remove_backup()?;
            match next.change.old {
                None if error.kind() == io::ErrorKind::AlreadyExists => Err(Fault::Changed(path)),
                _ => Err(error).at(path)?,
            }
        }
    }
}

impl Placed {
    /// Gives the old file a second name, and copies it when a backup is wanted.
    fn keep_old(&mut self) -> Result<(), PathError> {
        let (Some(old), Some(metadata)) = (&self.change.old, &self.change.metadata) else { return Ok(()) };
        if self.change.backup {
            self.backup = place::back_up(&self.place, self.change.name(), old, metadata)?;
        }
        self.aside = Staging::keep(&self.place.staging, self.change.name());
        Ok(())
    }

    fn put_back(mut self) -> Result<(), PathError> {
        let (path, name) = (self.change.path(), self.change.name());
        let directory = &self.place.directory;
        let now = read::bytes(directory, Path::new(name)).at(path)?.map(|(bytes, _)| bytes);
        if now.as_ref() != Some(&self.change.new) {
            return Err(io::Error::other("changed by someone else since; it is left as it is")).at(path);
        }
        match (&self.change.old, self.aside.take()) {
            (None, _) => directory.remove_file(name).at(path)?,
            (Some(_), Some(aside)) => aside.put(directory, name).at(path)?,
            (Some(old), None) => {
                let like = self.change.metadata.as_ref();
                let file = place::stage(&self.place.staging, old, like, self.change.sensitive).at(path)?;
                file.file().sync_all().at(path)?;
                file.put(directory, name).at(path)?;
            }
        }
        self.remove_backup()
    }

    fn remove_backup(&mut self) -> Result<(), PathError> {
        let Some(backup) = self.backup.take() else { return Ok(()) };
        self.place.directory.remove_file(&backup).at(self.place.path.join(&backup))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Root;
    use super::*;

    fn target(directory: &Path, name: &str) -> Target {
        Root::new(directory).unwrap().target(name, &|_| false).unwrap()
    }

    #[test]
    fn without_hard_links_the_old_text_comes_back_from_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap().join("f");
        fs::write(&path, "old").unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        let permissions = fs::metadata(&path).unwrap().permissions();
        let change = Change {
            target: target(directory.path(), "f"),
            old: Some(b"old".to_vec()),
            metadata: Some(fs::metadata(&path).unwrap()),
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
            target: target(&directory, &index.to_string()),
            old: None,
            metadata: None,
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

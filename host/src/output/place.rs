//! Puts one file in its place: the steps that a transaction is made of.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::staging::{Staging, TemporaryFile};
use super::target::Target;
use super::transaction::Fault;
use crate::fs::{Directory, PathContext, PathError, Replaced, directory_of, is_link_error};

/// The directory that a target is in, open, and where new texts for it wait.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: Arc<Directory>,
    pub(super) staging: Arc<Staging>,
    /// For messages.
    pub(super) path: PathBuf,
}

/// A directory that was made, as a name in its parent.
#[derive(Debug)]
pub(super) struct MadeDirectory {
    pub(super) parent: Arc<Directory>,
    pub(super) name: OsString,
    pub(super) path: PathBuf,
}

impl Place {
    /// Opens the target's directory and makes it if it is missing, with those above: each is added to `made` as soon as it is there, the
    /// outermost first.
    pub(super) fn open(target: &Target, made: &mut Vec<MadeDirectory>) -> Result<Self, Fault> {
        let path = directory_of(&target.real).to_owned();
        let fault = |error| fault_of(error, target);
        let directory = Arc::new(open_directory(target, made).map_err(fault)?);
        let staging = Staging::open(&directory, &path).map_err(fault)?;
        Ok(Self { directory, staging: Arc::new(staging), path })
    }
}

fn open_directory(target: &Target, made: &mut Vec<MadeDirectory>) -> Result<Directory, PathError> {
    let inside = target.inside.parent().unwrap_or(Path::new(""));
    match target.root.descend(inside) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => return opened.at(directory_of(&target.real)),
    }
    let mut path =
        target.real.ancestors().nth(target.inside.components().count()).map(Path::to_owned).unwrap_or_default();
    let mut at = Arc::new(target.root.descend(Path::new("")).at(&path)?);
    for part in inside.components() {
        let name = part.as_os_str();
        path.push(name);
        match at.make(name, false) {
            Ok(()) => made.push(MadeDirectory { parent: Arc::clone(&at), name: name.to_owned(), path: path.clone() }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at(&path),
        }
        at = Arc::new(at.descend(Path::new(name)).at(&path)?);
    }
    at.descend(Path::new("")).at(&path)
}

/// The fault of an error with the directory of a target: that of a link is one of its own.
fn fault_of(error: PathError, target: &Target) -> Fault {
    if is_link_error(&error.source) {
        Fault::Moved(directory_of(&target.real).to_owned())
    } else {
        Fault::Directory { file: target.real.clone(), error }
    }
}

/// Writes a temporary file, with mode and owner of `like` or, for a new file, those that the system gives to one. It is not synced: the
/// caller owes that.
///
/// Until the last byte is written no other user can open it: it lies in a private directory, and has its last mode before it leaves it.
pub(super) fn stage(
    staging: &Arc<Staging>,
    bytes: &[u8],
    like: Option<&Metadata>,
    sensitive: bool,
) -> io::Result<TemporaryFile> {
    let file = Staging::create(staging, sensitive || like.is_some())?;
    file.file().write_all(bytes)?;
    if let Some(like) = like {
        Replaced::of(like).bequeath(file.file())?;
    }
    Ok(file)
}

/// Keeps the bytes as `<name>.bak`, unless there is one. Returns the backup's name if it was made.
pub(super) fn back_up(
    place: &Place,
    name: &OsStr,
    bytes: &[u8],
    like: &Metadata,
) -> Result<Option<OsString>, PathError> {
    let mut backup = name.to_owned();
    backup.push(".bak");
    let path = place.path.join(&backup);
    // Asked without following: a link that leads to nothing is there, too.
    if place.directory.has(&backup) {
        return Ok(None);
    }
    let file = stage(&place.staging, bytes, Some(like), true).at(&path)?;
    file.file().sync_all().at(&path)?;
    match file.put_new(&place.directory, &backup) {
        Ok(()) => Ok(Some(backup)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error).at(path),
    }
}

/// Whether owner and permissions are what they were.
#[cfg(unix)]
pub(super) fn belongs_as_before(before: &Metadata, now: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let facts = |metadata: &Metadata| (metadata.uid(), metadata.gid(), metadata.mode());
    facts(before) == facts(now)
}

/// Whether permissions are what they were.
#[cfg(not(unix))]
pub(super) fn belongs_as_before(before: &Metadata, now: &Metadata) -> bool {
    before.permissions() == now.permissions()
}

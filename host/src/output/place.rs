//! Puts one file in its place: the steps that a transaction is made of.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::fs::{PathContext, PathError, directory_of};

/// What the names of our temporary files begin with. After a crash one may be left behind.
const PREFIX: &str = ".portkeeper-";

/// Writes and syncs a temporary file beside `path`, with mode and owner of `like` or, for a new file, those that the system gives to one.
pub(super) fn stage(path: &Path, bytes: &[u8], like: Option<&Metadata>, sensitive: bool) -> io::Result<NamedTempFile> {
    let file = stage_unsynced(path, bytes, like, sensitive)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The same without the sync, which the caller owes.
pub(super) fn stage_unsynced(
    path: &Path,
    bytes: &[u8],
    like: Option<&Metadata>,
    sensitive: bool,
) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    let permissions = new_file(sensitive);
    builder.prefix(PREFIX);
    if let Some(permissions) = permissions {
        builder.permissions(permissions);
    }
    let mut file = builder.tempfile_in(directory_of(path))?;
    file.write_all(bytes)?;
    if let Some(like) = like {
        take_after(file.as_file(), like)?;
    }
    Ok(file)
}

/// The file's metadata, if it may be written. A rename would replace even a file that its owner has made read-only.
pub(super) fn writable(path: &Path) -> io::Result<Metadata> {
    OpenOptions::new().write(true).open(path)?.metadata()
}

/// A second name for the file, so that it can come back exactly as it is. None where the file system has no hard links.
pub(super) fn keep_aside(path: &Path) -> Option<TempPath> {
    let link = tempfile::Builder::new().prefix(PREFIX).make_in(directory_of(path), |aside| fs::hard_link(path, aside));
    link.ok().map(NamedTempFile::into_temp_path)
}

/// Keeps the bytes as `<name>.bak`, unless there is one. Returns it if it was made.
pub(super) fn back_up(path: &Path, bytes: &[u8], like: &Metadata) -> Result<Option<PathBuf>, PathError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".bak");
    let backup = path.with_file_name(name);
    // Asked without following: a link that leads to nothing is there, too.
    if fs::symlink_metadata(&backup).is_ok() {
        return Ok(None);
    }
    match stage(&backup, bytes, Some(like), true).at(&backup)?.persist_noclobber(&backup) {
        Ok(_) => Ok(Some(backup)),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error.error).at(backup),
    }
}

/// Makes the directories that are missing above `path`, and adds each to `made` as soon as it is there, the outermost first.
pub(super) fn make_directories(path: &Path, made: &mut Vec<PathBuf>) -> Result<(), PathError> {
    let missing: Vec<_> = directory_of(path).ancestors().take_while(|directory| !directory.exists()).collect();
    for directory in missing.into_iter().rev() {
        match fs::create_dir(directory) {
            Ok(()) => made.push(directory.to_owned()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at(directory),
        }
    }
    Ok(())
}

/// What the umask takes its bits from.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other platforms have none")]
fn new_file(sensitive: bool) -> Option<fs::Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(if sensitive { 0o600 } else { 0o644 }))
}

#[cfg(not(unix))]
fn new_file(_: bool) -> Option<fs::Permissions> {
    None
}

/// Owner and group as far as the system allows it, then the mode, which a change of owner may take bits from (chown(2)).
#[cfg(unix)]
fn take_after(file: &File, like: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let own = file.metadata()?;
    if own.gid() != like.gid() {
        let _ = fchown(file, None, Some(like.gid()));
    }
    if own.uid() != like.uid() {
        let _ = fchown(file, Some(like.uid()), None);
    }
    file.set_permissions(like.permissions())
}

#[cfg(not(unix))]
fn take_after(file: &File, like: &Metadata) -> io::Result<()> {
    file.set_permissions(like.permissions())
}

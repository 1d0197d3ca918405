//! The lock of a directory that may be any user's.

use std::io::ErrorKind;
use std::path::Path;

use super::{FileId, Lock, LockError, LockOptions, PathContext, PathError, create_private_dir};

/// Takes the lock of a directory. It lies in `locks`, in the user's own state, and is named after the directory, wherever its path leads:
/// one in the directory, or the directory's own, could be held forever by another user who may only read it.
///
/// None where there is no state that may be written, as in a sandbox, or where directories have no numbers.
///
/// # Errors
/// [`LockError`].
pub fn lock_directory(directory: &Path, locks: &Path, patience: &LockOptions<'_>) -> Result<Option<Lock>, LockError> {
    let Some(id) = FileId::of(&std::fs::metadata(directory).at(directory)?) else { return Ok(None) };
    let path = locks.join(format!("{:x}-{:x}.lock", id.device, id.inode));
    let lock = create_private_dir(locks).map_err(LockError::from).and_then(|()| Lock::acquire(&path, patience));
    match lock {
        Err(LockError::File(error)) if may_not_be_written(&error) => Ok(None),
        lock => lock.map(Some),
    }
}

fn may_not_be_written(error: &PathError) -> bool {
    matches!(error.source.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied)
}

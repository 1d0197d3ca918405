//! Files as text.

use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::target::Target;
use crate::fs::{Directory, PathContext, PathError, read_up_to};

/// The largest file that is read, in bytes.
pub const LARGEST: u64 = 10 << 20;

/// Why a file cannot be read as text.
#[derive(Debug, Error)]
pub enum FileError {
    /// It is in another encoding, or no text at all.
    #[error("{}: not UTF-8 text; it is left as it is", .0.display())]
    NotText(PathBuf),
    /// It is larger than [`LARGEST`].
    #[error("{}: larger than {} MiB; it is left as it is", .0.display(), LARGEST >> 20)]
    TooLarge(PathBuf),
    /// The system refused.
    #[error(transparent)]
    Io(#[from] PathError),
}

/// The text of a regular file, and what the system knew of the very file that was read; none when there is no such file.
pub(super) fn text(target: &Target) -> Result<Option<(String, Metadata)>, FileError> {
    let path = &target.real;
    let Some((bytes, metadata)) = bytes(&target.root, &target.inside).at(path)? else { return Ok(None) };
    if bytes.len() as u64 > LARGEST {
        return Err(FileError::TooLarge(path.clone()));
    }
    let text = String::from_utf8(bytes).map_err(|_| FileError::NotText(path.clone()))?;
    Ok(Some((text, metadata)))
}

/// The bytes of a regular file below the directory, up to one more than [`LARGEST`]; none when there is no such file.
pub(super) fn bytes(directory: &Directory, below: &Path) -> io::Result<Option<(Vec<u8>, Metadata)>> {
    let file = match directory.open_file(below) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    Ok(Some((read_up_to(file, LARGEST + 1)?, metadata)))
}

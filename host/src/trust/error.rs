//! Why the file of trust cannot be used.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fs::{LockError, PathError};

/// The user's trust cannot be read or changed.
#[derive(Debug, Error)]
pub enum TrustError {
    /// The file, or what was to be trusted, cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// A path that JSON cannot hold.
    #[error("{} cannot be trusted: its path is not valid Unicode", .0.display())]
    NotText(PathBuf),
    /// Another process is changing it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file is not what portkeeper writes.
    #[error("{}, which says what you trust, is damaged: {reason}. Repair it, or delete it and trust anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later portkeeper wrote it.
    #[error("{}, which says what you trust, is of format {found}, and this portkeeper knows {known}: update it", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest format of this version.
        known: u32,
    },
}

impl TrustError {
    /// The file or directory that the system refused, if that is why.
    #[must_use]
    pub fn refused_path(&self) -> Option<&Path> {
        match self {
            Self::File(error) => Some(&error.path),
            Self::Lock(error) => error.path(),
            Self::NotText(_) | Self::Damaged { .. } | Self::Newer { .. } => None,
        }
    }
}

//! Why a lockfile cannot be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::fs::PathError;

/// Why a lockfile cannot be used.
#[derive(Debug, Error)]
pub enum LockfileError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// A merge left its marks in it.
    #[error(
        "{}: a merge has left its conflict marks here; keep the plugins of both sides, or take one side and add the others anew \
         with `portkeeper plugin add --project`", .0.display()
    )]
    Conflict(PathBuf),
    /// It is not what portkeeper writes.
    #[error("{}: {reason}; get it back from the project's history, or delete it and add the plugins anew", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later portkeeper wrote it.
    #[error("{}: its format is {found}, and this portkeeper knows {known}: update portkeeper", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The file's format.
        found: u32,
        /// The newest format of this version.
        known: u32,
    },
}

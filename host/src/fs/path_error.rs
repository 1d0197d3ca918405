//! An I/O error that says which file.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// An I/O error with the path that it happened on.
#[derive(Debug, Error)]
#[error("{}: {}", .path.display(), describe(.source))]
pub struct PathError {
    /// The file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

/// Adds the path to an I/O error.
pub trait PathContext<T> {
    /// The same result, with the path in its error.
    ///
    /// # Errors
    /// The error that was there before.
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError>;
}

impl<T> PathContext<T> for io::Result<T> {
    fn at(self, path: impl AsRef<Path>) -> Result<T, PathError> {
        self.map_err(|source| PathError { path: path.as_ref().to_owned(), source })
    }
}

/// The system's words without the error number, which means nothing to a user.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

//! Symbolic links where none may be, and the way through those that may.

use std::io;

use thiserror::Error;

/// How many links a path may lead through: as many as Linux follows (path_resolution(7)).
pub const MOST_LINKS: usize = 40;

/// A link where there was none.
#[derive(Debug, Error)]
#[error("a symbolic link has taken its place, or that of a directory above it")]
struct UnexpectedLink;

/// The error of a link where none may be.
pub(super) fn link_error() -> io::Error {
    io::Error::other(UnexpectedLink)
}

/// Whether the error is that of a link where none may be.
#[must_use]
pub fn is_link_error(error: &io::Error) -> bool {
    error.get_ref().and_then(|inner| inner.downcast_ref::<UnexpectedLink>()).is_some()
}

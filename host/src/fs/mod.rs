//! Files that survive a crash: durable atomic writes and locks.

mod path_error;

pub use path_error::{PathContext, PathError};

//! Why a plugin is not installed, or not taken away.

use std::path::PathBuf;

use thiserror::Error;

use crate::fs::{LockError, PathError};
use crate::lockfile::LockfileError;
use crate::output::TargetError;

/// Why a plugin is not installed, or not taken away.
#[derive(Debug, Error)]
pub enum InstallError {
    /// It renders nothing that it could be installed for.
    #[error("{name} renders {}", nothing_new(.built_in))]
    NoTypes {
        /// The plugin's name.
        name: String,
        /// The types that it renders, all of which are built in.
        built_in: Vec<String>,
    },
    /// Another plugin serves the type, or something that is no plugin is in the place.
    #[error("{} is another plugin for `{output_type}`; --replace puts this one in its place", .path.display())]
    Taken {
        /// The type.
        output_type: String,
        /// What is there.
        path: PathBuf,
    },
    /// There is no such plugin.
    #[error("there is no plugin for `{output_type}` in {}", .directory.display())]
    NotThere {
        /// The type.
        output_type: String,
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The project's directory of plugins leads somewhere else.
    #[error(transparent)]
    Place(#[from] TargetError),
    /// The project's lockfile cannot be used.
    #[error(transparent)]
    Lockfile(#[from] LockfileError),
    /// Another process is changing the directory.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file or directory cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
}

fn nothing_new(built_in: &[String]) -> String {
    if built_in.is_empty() {
        return "no type at all".to_owned();
    }
    format!(
        "only what is built in ({}); to use it instead, name its file under `plugins` in the config",
        built_in.join(", ")
    )
}

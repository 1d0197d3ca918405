//! Why a prepare did nothing.

use thiserror::Error;

use crate::config::ConfigError;
use crate::fs::{LockError, PathError};
use crate::lockfile::LockfileError;
use crate::output::{FileError, UndoError, WriteError};
use crate::plugins::{Broken, OverLimit, PluginError};
use crate::probe::ProbeError;
use crate::reserve::{Granted, ReserveError};
use crate::trust::TrustError;

/// Why a prepare did nothing.
#[derive(Debug, Error)]
pub enum PrepareError {
    /// The config is wrong, or does not fit what is there.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The same, where there is no config: the command line is wrong.
    #[error("{0}")]
    Invalid(String),
    /// A plugin cannot be run.
    #[error(transparent)]
    Plugin(PluginError),
    /// The project's lockfile cannot be used.
    #[error(transparent)]
    Lockfile(#[from] LockfileError),
    /// A plugin does not work.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// A plugin needs more than it may take.
    #[error(transparent)]
    OverLimit(#[from] Box<OverLimit>),
    /// No ports.
    #[error(transparent)]
    Reserve(#[from] ReserveError),
    /// A host that is none of this machine.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// What the user trusts cannot be read.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A port is in use, and it was to be free.
    #[error("port {} of {} is in use: {}", .0.reservation.port, name(.0), user(.0))]
    Occupied(Box<Granted>),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The project's directory cannot be used.
    #[error(transparent)]
    Directory(#[from] PathError),
    /// Another prepare of the project takes too long.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The names could not be confirmed, and not every file could be put back.
    #[error("{error}; and after that {undo}")]
    NotUndone {
        /// Why it failed.
        error: ReserveError,
        /// What is not as it was.
        undo: UndoError,
    },
}

fn name(granted: &Granted) -> &str {
    granted.reservation.name().map_or("the request", |name| &name.name)
}

fn user(granted: &Granted) -> String {
    granted.occupied_by.first().map(ToString::to_string).unwrap_or_default()
}

//! The store of reservations.
//!
//! A store is two operations wide ([`Store`]): a snapshot to read, and a transaction that checks and commits. What changes
//! reservations exists on [`Transaction`] alone, so nothing can be changed without the lock. [`FileStore`] keeps one JSON file
//! per user; stores for all users of a host or for a team can stand beside it.

mod file;
mod format;
mod snapshot;
mod source;

pub use file::FileStore;
#[cfg(target_os = "linux")]
pub(crate) use format::write;
pub(crate) use format::{Contents, read};
pub use snapshot::{Notice, Snapshot, Transaction};

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fs::{LockError, PathError};
use crate::model::Port;

/// Where reservations are kept.
pub trait Store {
    /// The reservations as they are now. Readers don't block writers.
    ///
    /// # Errors
    /// [`RegistryError`].
    fn snapshot(&self) -> Result<Snapshot, RegistryError>;

    /// Runs `change` on the reservations while nothing else can change them, and commits what it changed; commits nothing when it fails.
    /// Nothing slow belongs in it: all other processes wait.
    ///
    /// # Errors
    /// What `change` fails with, or a [`RegistryError`].
    fn transaction<T, E: From<RegistryError>>(
        &self,
        change: impl FnOnce(&mut Transaction) -> Result<T, E>,
    ) -> Result<T, E>;
}

/// Why the registry cannot be used.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// The lock was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
    /// It was written by a newer portkeeper.
    #[error(
        "{}: written by a newer portkeeper (format {version}, this one writes {supported}), so it is only read: \
         update portkeeper, or choose another file with --registry",
        .path.display()
    )]
    Newer {
        /// The registry.
        path: PathBuf,
        /// Its format.
        version: u32,
        /// The newest format that this portkeeper writes.
        supported: u32,
    },
    /// It is the Python tool's, which has another format.
    #[error(
        "{}: a registry of the Python tool portkeeper, which is left as it is. Without PORTKEEPER_REGISTRY (or with another file there), \
         take it over: portkeeper import --portkeeper {0}",
        .path.display()
    )]
    OfPythonTool {
        /// The file.
        path: PathBuf,
    },
    /// A change is in the registry, but not known to be on the disk, and it could not be taken back.
    #[error("{}, but not safe from a power cut ({error}), and this could not be taken back ({undo})", reserved(.ports))]
    NotTakenBack {
        /// The ports that are reserved now.
        ports: Vec<Port>,
        /// What failed.
        error: PathError,
        /// Why it could not be taken back.
        undo: Box<RegistryError>,
    },
    /// Neither the file nor the copy of its former state can be understood.
    #[error("{}", no_registry(.path, .previous.as_deref(), .why.as_deref()))]
    Corrupt {
        /// The registry.
        path: PathBuf,
        /// The copy of its former state, if there is one: damaged as well.
        previous: Option<PathBuf>,
        /// What the parser said; none when the file is missing.
        why: Option<String>,
    },
}

impl RegistryError {
    /// The file or directory that the system refused, if that is why.
    #[must_use]
    pub fn refused_path(&self) -> Option<&Path> {
        match self {
            Self::Lock(error) => error.path(),
            Self::File(error) | Self::NotTakenBack { error, .. } => Some(&error.path),
            Self::Newer { .. } | Self::OfPythonTool { .. } | Self::Corrupt { .. } => None,
        }
    }

    /// What to type for a registry without what cannot be understood, where that is what is wrong.
    #[must_use]
    pub fn start_over(&self) -> Option<String> {
        let Self::Corrupt { path, previous, why } = self else { return None };
        Some(start_over(why.as_ref().map(|_| path.as_path()), previous.as_deref()))
    }
}

fn start_over(registry: Option<&Path>, previous: Option<&Path>) -> String {
    let aside = |path: &Path| format!("mv {0} {0}.bad", path.display());
    registry.into_iter().chain(previous).map(aside).collect::<Vec<_>>().join("; ")
}

fn no_registry(path: &Path, previous: Option<&Path>, why: Option<&str>) -> String {
    let found = match why {
        Some(why) => format!("is not a registry ({why})"),
        None => "is missing".to_owned(),
    };
    let state = match previous {
        None => "missing".to_owned(),
        Some(previous) if why.is_none() => format!("damaged ({})", previous.display()),
        Some(previous) => format!("damaged, too ({})", previous.display()),
    };
    format!(
        "{} {found}, and its former state is {state}. Without it, a port in use could be handed out. If this is not \
         meant to be a registry, pass another with --registry. To start over: {}",
        path.display(),
        start_over(why.map(|_| path), previous)
    )
}

/// `port 8000 is reserved`, for a message that says what stands although a command failed.
pub(crate) fn reserved(ports: &[Port]) -> String {
    match ports {
        [] => "the change is made".to_owned(),
        [port] => format!("port {port} is reserved"),
        ports => {
            let ports: Vec<_> = ports.iter().map(ToString::to_string).collect();
            format!("the ports {} are reserved", ports.join(", "))
        }
    }
}

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

    /// Runs `change` on the reservations while nobody else can change them, and commits what it changed; commits nothing when it
    /// fails. Nothing slow belongs into it: everybody else waits.
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
    #[error("{}", no_registry(.path, .previous.as_deref(), .why))]
    Corrupt {
        /// The registry.
        path: PathBuf,
        /// The copy of its former state, if there is one: damaged as well.
        previous: Option<PathBuf>,
        /// What the parser said.
        why: String,
    },
}

fn no_registry(path: &Path, previous: Option<&Path>, why: &str) -> String {
    let aside = |path: &Path| format!("mv {0} {0}.bad", path.display());
    let (state, ways) = match previous {
        None => ("missing".to_owned(), aside(path)),
        Some(previous) => {
            (format!("damaged, too ({})", previous.display()), format!("{}; {}", aside(path), aside(previous)))
        }
    };
    format!(
        "{} is not a registry ({why}), and its former state is {state}. Without it, a port in use could be handed out. If this is not \
         meant to be a registry, pass another with --registry. To start over: {ways}",
        path.display()
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

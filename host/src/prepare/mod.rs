//! Reserves the ports of a whole stack and writes its files.
//!
//! Everything that can be refused without a port is refused first: unknown formats, options that their schema does not allow, targets
//! outside of the project, unknown hosts. Then all ports are reserved, provisionally; everything is rendered; everything is written; and
//! the names are confirmed. Whatever fails on the way is undone, and what a killed process leaves behind ends like a grace.

mod context;
mod error;
mod job;
mod options;
mod outputs;
mod proposals;

pub use error::PrepareError;
pub use job::{Job, plugin_sources};

use std::path::{Path, PathBuf};

use crate::fs::{LockOptions, lock_directory};
use crate::model::{Host, Reservation};
use crate::output::FileSet;
use crate::plugins::{Diagnostic, Engine};
use crate::registry::{Notice, Store};
use crate::reserve::{
    Granted, Outcome, Refusal, Released, ReserveError, World, abandon, confirm, dry_run, orphans, release_hold, reserve,
};
use crate::trust::Trust;

/// What a prepare needs to know besides its job.
#[derive(Clone, Copy)]
pub struct PrepareContext<'a> {
    /// The host of ports that name none.
    pub host: &'a Host,
    /// The environment, for variables that are no keys.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Runs the plugins.
    pub engine: &'a Engine,
    /// The directory of the user's plugins.
    pub plugins: Option<&'a PathBuf>,
    /// What the user trusts.
    pub trust: &'a Trust,
    /// The directory for the locks of projects, in the user's state.
    pub locks: &'a Path,
    /// How long to wait for another prepare of the same project.
    pub patience: &'a LockOptions<'a>,
}

/// How far a prepare goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reserves and writes.
    Write,
    /// Says what it would do, and changes nothing.
    DryRun,
}

/// What a prepare did, or would do.
#[derive(Debug)]
pub struct Report {
    /// A port for each key, in the order of the job.
    pub granted: Vec<Granted>,
    /// The outputs, in the order of the job; a further file of one follows it.
    pub outputs: Vec<OutputReport>,
    /// What changes in the files, as a unified diff. It shows text of files and plugins: clean it for a terminal.
    pub diff: String,
    /// Names that are released because the config no longer has them.
    pub orphans: Vec<Reservation>,
    /// Ports that were given up, but whose holders did not let go.
    pub still_held: Vec<Refusal>,
    /// What was collected on the way.
    pub collected: Vec<Released>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

/// One output.
#[derive(Debug)]
pub struct OutputReport {
    /// The output's `type`.
    pub format: String,
    /// The file, as the config or the format names it.
    pub path: String,
    /// Whether the file changes.
    pub changed: bool,
    /// What the plugin has to say.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// Whether anything is not yet as the config says.
    #[must_use]
    pub fn changes(&self) -> bool {
        !self.orphans.is_empty()
            || self.granted.iter().any(|granted| !granted.existed || !granted.replaced.is_empty())
            || self.outputs.iter().any(|output| output.changed)
    }
}

/// Does a job: all of it, or nothing.
///
/// With `require_free` a port in use is an error, also when it is the job's own from before.
///
/// # Errors
/// [`PrepareError`]; then the registry and all files are as they were.
pub fn prepare(
    job: &Job<'_>,
    around: &PrepareContext<'_>,
    store: &impl Store,
    world: &impl World,
    mode: Mode,
    require_free: bool,
) -> Result<Report, PrepareError> {
    let outputs = outputs::resolve(job, around)?;
    let requests = job.requests(around)?;
    let write = mode == Mode::Write;
    // Two prepares of one project take turns. Where there is no lock, a file that changed since it was read is still not overwritten.
    let _lock = if write { lock_directory(job.directory(), around.locks, around.patience)? } else { None };
    let Outcome { granted, collected, notices } = match requests.as_slice() {
        [] => Outcome::default(),
        requests if write => reserve(store, world, requests)?,
        requests => dry_run(store, world, requests)?,
    };
    let finish = || {
        if require_free {
            refuse_occupied(&granted)?;
        }
        let mut files = FileSet::default();
        let outputs = outputs::render(job, around, &outputs, &granted, &mut files)?;
        let diff = files.diff();
        let orphans = if write {
            files.remove_leftovers();
            commit(files, store, world, &granted)?
        } else {
            orphans(&store.snapshot().map_err(ReserveError::from)?, world, &granted)
        };
        Ok((outputs, diff, orphans))
    };
    match finish() {
        Ok((outputs, diff, orphans)) => {
            let replaced = granted.iter().flat_map(|granted| &granted.replaced);
            let still_held = if write { release_hold(replaced.chain(&orphans), world) } else { Vec::new() };
            Ok(Report { granted, outputs, diff, orphans, still_held, collected, notices })
        }
        Err(error) => {
            if write {
                // Should this fail too, the first error matters more, and a provisional name ends by itself.
                let _ = abandon(store, world, &granted);
            }
            Err(error)
        }
    }
}

/// Writes the files, then makes the names lasting; puts the files back when that fails.
fn commit(
    files: FileSet,
    store: &impl Store,
    world: &impl World,
    granted: &[Granted],
) -> Result<Vec<Reservation>, PrepareError> {
    let written = files.write()?;
    confirm(store, world, granted).map_err(|error| match written.undo() {
        Ok(()) => error.into(),
        Err(undo) => PrepareError::NotUndone { error, undo },
    })
}

fn refuse_occupied(granted: &[Granted]) -> Result<(), PrepareError> {
    match granted.iter().find(|granted| !granted.occupied_by.is_empty()) {
        Some(granted) => Err(PrepareError::Occupied(Box::new(granted.clone()))),
        None => Ok(()),
    }
}

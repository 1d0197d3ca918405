//! The config of a prepare: `pk.config.json` and `pk.config.yaml`.
//!
//! [`Config::load`] reads one in three steps: bytes to text (`source`), text to a tree of bounded size that is the same for
//! JSON and YAML (`tree`), tree to checked types (`fields`, `check`). Only the first two know the format. Where a field
//! stands is not kept: when there is something to complain about, `locate` walks through the text once more. So an error found
//! long after parsing still names the line, with [`Config::error_at`].
//!
//! [`find()`] looks for the config of a directory and opens it if it is the user's ([`Owners`]), [`project_directory`] for its project, [`schema()`] describes one to editors.

mod check;
mod error;
mod fields;
mod find;
mod found;
mod locate;
mod owners;
mod project;
mod schema;
mod source;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use error::{ConfigError, Position, Problem, Strange};
pub use fields::{OUTPUT_FIELDS, Output, PluginSource, PortEntry};
pub use find::{ProjectPlace, find, find_above_worktree, find_project};
pub use found::Found;
pub use owners::Owners;
pub use project::project_directory;
pub use schema::schema;

use crate::document::FieldPath;
use crate::fs::{FileId, directory_of};
use crate::model::{HoldKind, Host};

use serde_json::{Map, Value};

use error::Fault;
use fields::Document;
use source::Source;

/// A config that is free of errors as far as its own text shows.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file, as it was named to [`Config::load`].
    pub path: PathBuf,
    /// The host of every port that names none; none here either: the caller's default.
    pub host: Option<Host>,
    /// The owner of every port that names none.
    pub owner: Option<String>,
    /// How every port is held that does not say so itself.
    pub hold: Option<HoldKind>,
    /// Whether clients may queue before the server that `run` starts has bound its port.
    pub queue_early: bool,
    /// The ports to reserve. Never empty; every key once.
    pub ports: Vec<PortEntry>,
    /// The files to write.
    pub outputs: Vec<Output>,
    /// Where the plugins of some types are, in place of the usual directories; by type.
    pub plugins: BTreeMap<String, PluginSource>,
    source: Source,
    directory_id: Option<FileId>,
}

impl Config {
    /// Reads and checks the config file at `path`. `.json` is JSON and `.yaml` and `.yml` are YAML; under any other name a text that
    /// starts with `{` is JSON.
    ///
    /// # Errors
    /// [`ConfigError`] names file, line and field, and says what is allowed.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Found::named(path, &Owners::default())?.load()
    }

    /// Checks a config that was read before; `path` gives its format and stands in errors.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, ConfigError> {
        let source = source::decode(path, bytes).map_err(|fault| fault.in_file(path))?;
        let read = tree::parse(&source).and_then(|tree| {
            // The text is sound, so it can be walked again.
            fields_of(tree).map_err(|fault| Fault { position: locate::locate(&source, &fault.field), ..fault })
        });
        let Document { schema: _, host, owner, hold, queue_early, ports, outputs, plugins } =
            read.map_err(|fault| fault.in_file(path))?;
        Ok(Self {
            path: path.to_owned(),
            host,
            owner,
            hold,
            queue_early,
            ports,
            outputs,
            plugins,
            source,
            directory_id: None,
        })
    }

    /// The directory that the config's paths are relative to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        directory_of(&self.path)
    }

    /// Which directory it was in when it was opened: another one may have its path by now.
    #[must_use]
    pub fn directory_id(&self) -> Option<FileId> {
        self.directory_id
    }

    /// An error about a field that only turned out to be wrong later: an unknown type, a bad option, an unset variable.
    #[must_use]
    pub fn error_at(&self, field: FieldPath, problem: impl std::fmt::Display) -> ConfigError {
        let position = locate::locate(&self.source, &field);
        Fault { field, position, problem: Problem::Invalid(problem.to_string()) }.in_file(&self.path)
    }

    /// The line of a field, counted from 1; for a field that is not there, the line of what it would stand in.
    #[must_use]
    pub fn line_of(&self, field: &FieldPath) -> Option<u32> {
        locate::locate(&self.source, field).map(|position| position.line)
    }
}

fn fields_of(tree: Map<String, Value>) -> Result<Document, Fault> {
    check::known_fields(&tree)?;
    let document = fields::typed(tree)?;
    check::document(&document)?;
    Ok(document)
}

#[cfg(test)]
mod tests;

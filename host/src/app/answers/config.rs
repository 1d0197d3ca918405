//! What is said about configs and the files of other tools: `prepare`, `import` and `trust`.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::ReservationView;
use crate::model::{Guarantee, Port};

/// What `prepare` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Prepared<'a> {
    /// The ports by their keys.
    pub(crate) reserved: BTreeMap<&'a str, Port>,
    /// What keeps other programs from the port that is kept worst.
    pub(crate) guarantee: Guarantee,
    /// The same for each key.
    pub(crate) guarantees: BTreeMap<&'a str, Guarantee>,
    /// The files.
    pub(crate) outputs: Vec<PreparedOutput<'a>>,
}

/// A file of a config.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PreparedOutput<'a> {
    /// Its format.
    #[serde(rename = "type")]
    pub(crate) format: &'a str,
    /// Where it is, seen from the config.
    pub(crate) path: &'a str,
    /// `unchanged`, `written`, or `would-write`.
    pub(crate) status: &'static str,
}

/// What `import` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Imported<'a> {
    /// The reservations that were made.
    pub(crate) imported: Vec<ReservationView<'a>>,
    /// What was left out.
    pub(crate) skipped: Vec<Skipped<'a>>,
}

/// An entry that was not imported.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Skipped<'a> {
    /// Where it stands in the file.
    pub(crate) place: String,
    /// Why it was left out.
    pub(crate) reason: &'a str,
}

/// What `trust --list` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrustedView<'a> {
    /// The plugins that may run.
    pub(crate) plugins: Vec<TrustedPlugin<'a>>,
    /// The paths outside of a project that its config may write.
    pub(crate) targets: Vec<TrustedTarget<'a>>,
}

/// A plugin that may run.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrustedPlugin<'a> {
    /// Its file.
    pub(crate) path: &'a Path,
    /// The digest of that file.
    pub(crate) sha256: String,
}

/// A path outside of a project that its config may write.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrustedTarget<'a> {
    /// The path.
    pub(crate) path: &'a Path,
    /// The project's directory.
    pub(crate) project: &'a Path,
}

//! The file of trust: JSON with a version.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::TrustError;
use crate::document::json_error;
use crate::model::Digest;

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

/// A plugin that the user has said may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedPlugin {
    /// The file, absolute and without links.
    pub path: PathBuf,
    /// What it held when the user said so.
    pub sha256: Digest,
}

/// A file outside of a project that the user has said the project's configs may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedTarget {
    /// The project's directory, absolute and without links.
    pub project: PathBuf,
    /// The file, absolute and without links.
    pub path: PathBuf,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: u32,
    #[serde(default)]
    pub(super) plugins: Vec<TrustedPlugin>,
    #[serde(default)]
    pub(super) targets: Vec<TrustedTarget>,
}

/// What every format has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Default for Document {
    fn default() -> Self {
        Self { format: FORMAT, plugins: Vec::new(), targets: Vec::new() }
    }
}

impl Document {
    pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<Self, TrustError> {
        let damaged =
            |error: serde_json::Error| TrustError::Damaged { path: path.to_owned(), reason: json_error(&error) };
        let Version { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format > FORMAT {
            return Err(TrustError::Newer { path: path.to_owned(), found: format, known: FORMAT });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("every path was checked or came from JSON");
        bytes.push(b'\n');
        bytes
    }
}

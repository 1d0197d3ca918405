//! What may be wrong with the registry and with what it depends on, and what helps.
//!
//! Each check answers with [`Finding`]s, a good one included, so that a silent check cannot be mistaken for a forgotten one. Nothing
//! is changed.

mod files;
mod holds;
mod reservations;

pub use files::{cache, lock, registry, state_directory, unwritable};
pub use holds::holds;
pub use reservations::{clock, ephemeral, projects, stale, tables};

use serde::Serialize;

use crate::fs::PathError;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something will go wrong.
    Problem,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What was looked at: `registry`, `lock`, ...
    pub about: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found.
    #[serde(rename = "summary")]
    pub what: String,
    /// What helps; none where nothing has to be done.
    #[serde(rename = "advice")]
    pub remedy: Option<String>,
}

impl Finding {
    /// As it should be.
    #[must_use]
    pub fn ok(about: &'static str, what: impl Into<String>) -> Self {
        Self { about, severity: Severity::Ok, what: what.into(), remedy: None }
    }

    /// Worth knowing, and what can be done.
    #[must_use]
    pub fn note(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, severity: Severity::Note, what: what.into(), remedy: Some(remedy.into()) }
    }

    /// A file or directory cannot be looked at.
    #[must_use]
    pub fn unreadable(about: &'static str, error: &PathError) -> Self {
        Self::problem(about, error.to_string(), format!("see to its owner and mode: ls -ld {}", error.path.display()))
    }

    /// Something is wrong, and what helps.
    #[must_use]
    pub fn problem(about: &'static str, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { about, severity: Severity::Problem, what: what.into(), remedy: Some(remedy.into()) }
    }
}

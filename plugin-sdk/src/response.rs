//! What a plugin answers.

use crate::Request;

/// The new texts, and what the user should know about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Response {
    /// The target, and nothing else unless the config says so.
    pub files: Vec<OutFile>,
    /// What to tell the user; none of it stops the output.
    pub diagnostics: Vec<Diagnostic>,
}

/// A file as it shall be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutFile {
    /// Relative to the config's directory.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// True keeps the text out of diffs and logs, and the file away from other users.
    pub sensitive: bool,
}

/// Something to tell the user that does not stop the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// A sentence for people.
    pub message: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line of that file, counted from 1.
    pub line: Option<u32>,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Probably not what the user wants.
    Warning,
}

impl Severity {
    /// The word that the interface uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}

impl Response {
    /// The request's target with this text.
    #[must_use]
    pub fn target(request: &Request, text: impl Into<String>) -> Self {
        let file = OutFile { path: request.target.path.clone(), text: text.into(), sensitive: false };
        Self { files: vec![file], diagnostics: Vec::new() }
    }

    /// The same with one more diagnostic.
    #[must_use]
    pub fn diagnostic(mut self, diagnostic: Diagnostic) -> Self {
        self.diagnostics.push(diagnostic);
        self
    }
}

impl Diagnostic {
    /// Something good to know.
    #[must_use]
    pub fn info(message: impl Into<String>) -> Self {
        Self { severity: Severity::Info, message: message.into(), path: None, line: None }
    }

    /// Something that is probably not what the user wants.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::info(message) }
    }

    /// The same about a line of a file, counted from 1.
    #[must_use]
    pub fn at(mut self, path: &str, line: u32) -> Self {
        self.path = Some(path.to_owned());
        self.line = Some(line);
        self
    }
}

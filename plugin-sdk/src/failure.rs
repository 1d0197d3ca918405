//! Why there is no response.

use std::fmt;

/// Why there is no response. Nothing is written, and the user reads the message, the line and the help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// `bad-options`, `bad-map`, `bad-target`, `bad-input`, or a word of the plugin's own.
    pub code: String,
    /// What was found, and why it cannot be used. The host names the output and its path.
    pub message: String,
    /// What the user can do about it.
    pub help: Option<String>,
    /// The line of the target that is at fault, counted from 1.
    pub line: Option<u32>,
}

impl Failure {
    /// A failure with a code of the plugin's own.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), help: None, line: None }
    }

    /// The output's options cannot be used.
    #[must_use]
    pub fn bad_options(message: impl Into<String>) -> Self {
        Self::new("bad-options", message)
    }

    /// The output's `map` cannot be used.
    #[must_use]
    pub fn bad_map(message: impl Into<String>) -> Self {
        Self::new("bad-map", message)
    }

    /// The target's text cannot be used, or would lose something.
    #[must_use]
    pub fn bad_target(message: impl Into<String>) -> Self {
        Self::new("bad-target", message)
    }

    /// One of the inputs cannot be used.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new("bad-input", message)
    }

    /// The same with what the user can do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the line of the target that is at fault, counted from 1.
    #[must_use]
    pub fn line(mut self, line: usize) -> Self {
        self.line = u32::try_from(line).ok();
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        self.help.iter().try_for_each(|help| write!(f, "\n{help}"))
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_message_line_and_help() {
        let failure = Failure::bad_target("this is no JSON").line(3).help("Mend it.");
        assert_eq!(failure.to_string(), "this is no JSON (line 3)\nMend it.");
    }
}

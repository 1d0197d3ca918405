//! What can be wrong with a plugin.

use std::fmt;

use super::ExpectedFailure;

/// What is wrong with a plugin, as a fixture shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The host does not let the options through.
    Options(String),
    /// It crashed or answered nonsense.
    Broken(String),
    /// It needs more than it may take.
    OverLimit(String),
    /// Nobody has said what is expected.
    NothingExpected,
    /// It failed where files are expected.
    Failed(ExpectedFailure),
    /// It failed in another way than expected.
    OtherFailure {
        /// What is expected.
        expected: ExpectedFailure,
        /// What it said.
        found: ExpectedFailure,
    },
    /// It rendered where a failure is expected.
    DidNotFail(ExpectedFailure),
    /// It did not write a file that is expected.
    Missing(String),
    /// It wrote a file that is not expected.
    Unexpected(String),
    /// It wrote another text than expected.
    Differs {
        /// The file.
        path: String,
        /// From the expected text to the one that was found.
        diff: String,
    },
    /// Asked the same twice, it gave two answers.
    NotDeterministic,
    /// Rendering its own text again changes it.
    NotFixedPoint {
        /// The file.
        path: String,
        /// What changed the second time.
        diff: String,
    },
    /// It cannot render what it has written itself.
    FailsOnItself(String),
}

impl Flaw {
    /// Whether it is wrong whatever is expected: then nothing should be expected from the plugin.
    #[must_use]
    pub fn breaks_promises(&self) -> bool {
        match self {
            Self::Options(_)
            | Self::Broken(_)
            | Self::OverLimit(_)
            | Self::NotDeterministic
            | Self::NotFixedPoint { .. }
            | Self::FailsOnItself(_) => true,
            Self::NothingExpected
            | Self::Failed(_)
            | Self::OtherFailure { .. }
            | Self::DidNotFail(_)
            | Self::Missing(_)
            | Self::Unexpected(_)
            | Self::Differs { .. } => false,
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(reason) => write!(f, "the options do not pass its schema: {reason}"),
            Self::Broken(reason) => write!(f, "it is broken: {reason}"),
            Self::OverLimit(reason) => f.write_str(reason),
            Self::NothingExpected => f.write_str("nothing is expected yet: --update writes down what it gives"),
            Self::Failed(found) => write!(f, "it failed: {}", told(found)),
            Self::OtherFailure { expected, found } => {
                write!(f, "it failed in another way: expected {}, found {}", told(expected), told(found))
            }
            Self::DidNotFail(expected) => write!(f, "it did not fail: expected {}", told(expected)),
            Self::Missing(path) => write!(f, "it did not write {path}"),
            Self::Unexpected(path) => write!(f, "it wrote {path}, which is not expected"),
            Self::Differs { path, diff } => write!(f, "{path} is not as expected\n{}", diff.trim_end()),
            Self::NotDeterministic => {
                f.write_str("it gave two answers to the same request: a plugin has to be a pure function")
            }
            Self::NotFixedPoint { path, diff } => {
                write!(
                    f,
                    "rendered again from its own text, {path} changes: a prepare would never be done\n{}",
                    diff.trim_end()
                )
            }
            Self::FailsOnItself(message) => write!(f, "it cannot render its own text again: {message}"),
        }
    }
}

fn told(failure: &ExpectedFailure) -> String {
    serde_json::to_string(failure).unwrap_or_default()
}

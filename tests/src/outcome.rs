//! What came of a run of the command line.

use std::fmt;
use std::process::ExitStatus;

use serde_json::Value;

/// How a run ended and what it printed. Every assertion that fails shows all of it.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command line, as a person would type it.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// What must never reach a person, whatever went wrong.
const INTERNALS: [&str; 8] =
    ["panicked", "RUST_BACKTRACE", "backtrace", "src/", ".rs:", "(os error", "unwrap()", "Err("];

impl Outcome {
    /// The exit code; none when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Demands the exit code, and that no internals were printed.
    ///
    /// # Panics
    /// When it was another one.
    #[track_caller]
    pub fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(self.code(), Some(code), "the exit code\n{self}");
        for text in INTERNALS {
            assert!(!self.stderr.contains(text), "internals in a message: {text}\n{self}");
        }
        self
    }

    /// Whether stderr has no internals.
    #[must_use]
    pub fn has_no_internals(&self) -> bool {
        !INTERNALS.iter().any(|text| self.stderr.contains(text))
    }

    /// Demands that stderr holds the text.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn says(&self, text: impl AsRef<str>) -> &Self {
        let text = text.as_ref();
        assert!(self.stderr.contains(text), "stderr lacks `{text}`\n{self}");
        self
    }

    /// Demands a refusal as users want it: nothing on stdout and exactly one error on stderr.
    ///
    /// # Panics
    /// When it was anything else.
    #[track_caller]
    pub fn is_one_clear_error(&self) -> &Self {
        assert_eq!(self.stdout, "", "a refusal has no answer\n{self}");
        let errors = self.stderr.lines().filter(|line| line.starts_with("error")).count();
        assert_eq!(errors, 1, "one error, and only one\n{self}");
        self
    }

    /// Demands that nothing was printed on stderr.
    ///
    /// # Panics
    /// When something was.
    #[track_caller]
    pub fn is_silent(&self) -> &Self {
        assert_eq!(self.stderr, "", "stderr\n{self}");
        self
    }

    /// Stdout as JSON.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }

    /// The ports that were answered, from JSON objects with a `port` or from bare numbers, one per line.
    ///
    /// # Panics
    /// When stdout holds anything else.
    #[must_use]
    #[track_caller]
    pub fn ports(&self) -> Vec<u16> {
        let port = |value: &Value| {
            let number = value.get("port").and_then(Value::as_u64);
            number.and_then(|number| u16::try_from(number).ok()).unwrap_or_else(|| panic!("no port in {value}\n{self}"))
        };
        match serde_json::from_str(&self.stdout) {
            Ok(Value::Array(all)) => all.iter().map(port).collect(),
            Ok(one @ Value::Object(_)) => vec![port(&one)],
            _ => self.stdout.lines().map(|line| line.parse().unwrap_or_else(|_| panic!("no port\n{self}"))).collect(),
        }
    }

    /// The one port that was answered.
    ///
    /// # Panics
    /// When there were none or several.
    #[must_use]
    #[track_caller]
    pub fn port(&self) -> u16 {
        let ports = self.ports();
        assert_eq!(ports.len(), 1, "one port\n{self}");
        ports[0]
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, stdout, stderr } = self;
        write!(f, "$ {command}\n--- {status}\n--- stdout\n{stdout}--- stderr\n{stderr}---")
    }
}

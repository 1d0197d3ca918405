//! What can be wrong with a config, and where.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::document::FieldPath;
use crate::fs::describe;
use crate::os::inspect::{current_user, user_text};

/// What is wrong with a config, in which file, where in it, and in which field.
///
/// Reads as `pk.config.json:7:16: ports[1].range: the range 9000-8000 runs backwards: did you mean 8000-9000?`
#[derive(Debug, Error)]
pub struct ConfigError {
    /// The config file, or the directory in which one was looked for.
    pub path: PathBuf,
    /// Where in the file, when it is about a place in it.
    pub position: Option<Position>,
    /// The field; the root when it is about the whole file.
    pub field: FieldPath,
    /// What is wrong.
    pub problem: Problem,
}

/// A place in a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
}

impl Position {
    /// The place of the character that follows `text`.
    pub(super) fn after(text: &str) -> Self {
        let line = text.matches('\n').count() + 1;
        let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { line: line.try_into().unwrap_or(u32::MAX), column: column.try_into().unwrap_or(u32::MAX) }
    }
}

/// What is wrong with a config.
#[derive(Debug, Error)]
pub enum Problem {
    /// There is no such file.
    #[error("there is no such file; name a config with --config FILE, or write a pk.config.json")]
    Missing,
    /// The file cannot be read: the environment's fault, not the config's.
    #[error("the config cannot be read: {}", describe(.0))]
    Unreadable(io::Error),
    /// The search for a config could not look here.
    #[error("cannot be looked at: {}", describe(.0))]
    Unseen(#[source] io::Error),
    /// It is a directory, a device, a pipe or the like.
    #[error("this is {0}, not a config file")]
    NotAFile(&'static str),
    /// The file is longer than a config may be.
    #[error("the file is larger than {} MiB, too large for a config", super::source::LARGEST >> 20)]
    TooLarge,
    /// The bytes are not UTF-8.
    #[error("the text is not UTF-8; save the file in the encoding UTF-8")]
    NotUtf8,
    /// The bytes are UTF-16 or UTF-32.
    #[error("the text is UTF-16; save the file in the encoding UTF-8")]
    Utf16,
    /// There is nothing in the file.
    #[error("the config is empty; it needs at least `ports`, for example {{\"ports\": [{{\"key\": \"PORT\"}}]}}")]
    Empty,
    /// A YAML file with several documents.
    #[error("a second YAML document begins here; a config is one document")]
    SeveralDocuments,
    /// Aliases that multiply, or simply too much.
    #[error("the config becomes too large when its YAML aliases are filled in")]
    TooMuch,
    /// Objects in objects, beyond what anyone would write.
    #[error("the config is nested too deeply: 100 levels are enough")]
    TooDeep,
    /// Not JSON, or not YAML.
    #[error("{0}")]
    Syntax(String),
    /// A field that stands twice in one object.
    #[error("`{0}` stands here a second time; remove one of the two")]
    Duplicate(String),
    /// A field that there is none of.
    #[error("unknown field `{name}`{} Allowed are {}", suggest(.closest.as_deref()), list(.allowed))]
    UnknownField {
        /// The field.
        name: String,
        /// The one that was probably meant.
        closest: Option<&'static str>,
        /// Those that there are.
        allowed: &'static [&'static str],
    },
    /// A value that is not allowed here.
    #[error("{0}")]
    Invalid(String),
    /// More than one config in one directory.
    #[error("{first} and {second} are both here; name one with --config, or remove the other")]
    Ambiguous {
        /// One of them.
        first: &'static str,
        /// Another one.
        second: &'static str,
    },
    /// A config that was found, and not named, and is not wholly the user's.
    #[error("dubious ownership: {strange}, but this is user {}", this_user())]
    ForeignOwner {
        /// What is another user's.
        strange: Strange,
        /// The config's directory.
        directory: PathBuf,
    },
}

/// Something that belongs to another user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strange {
    /// `the config`, `its directory`.
    pub what: &'static str,
    /// The user.
    pub uid: u32,
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} belongs to user {}", self.what, user_text(self.uid))
    }
}

fn this_user() -> String {
    current_user().map_or_else(|| "another one".to_owned(), user_text)
}

fn suggest(closest: Option<&str>) -> String {
    closest.map_or_else(|| ".".to_owned(), |closest| format!(": did you mean `{closest}`?"))
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

impl ConfigError {
    pub(super) fn new(path: &Path, problem: Problem) -> Self {
        Fault { field: FieldPath::root(), position: None, problem }.in_file(path)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        if !self.field.is_root() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A [`ConfigError`] that does not know its file yet, and maybe not its position.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) field: FieldPath,
    pub(super) position: Option<Position>,
    pub(super) problem: Problem,
}

impl Fault {
    pub(super) fn new(field: FieldPath, problem: Problem) -> Self {
        Self { field, position: None, problem }
    }

    pub(super) fn invalid(field: FieldPath, message: impl Into<String>) -> Self {
        Self::new(field, Problem::Invalid(message.into()))
    }

    pub(super) fn in_file(self, path: &Path) -> ConfigError {
        ConfigError { path: path.to_owned(), position: self.position, field: self.field, problem: self.problem }
    }
}

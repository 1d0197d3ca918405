//! What is wrong with options, in words for their author.

use std::fmt;

use serde_json::Value;
use thiserror::Error;

use crate::document::{FieldPath, closest, harmless};

/// The longest piece of a value or of a schema that is shown, in characters.
const SHOWN: usize = 60;

/// Why options do not pass.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum CheckError {
    /// The schema does not allow them.
    #[error("{0}")]
    Violation(Violation),
    /// The schema cannot be checked in reasonable time. That is the plugin's fault.
    #[error("its options-schema takes too much work to check")]
    TooMuch,
}

/// Something that a schema does not allow.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// The field in question, from the options on; one that is missing or unknown is named itself.
    pub field: FieldPath,
    /// What there should be.
    pub expected: Expectation,
}

/// What there should be in place of what there is.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// No such field: there are only these.
    Unknown {
        /// The field.
        name: String,
        /// Those that there may be.
        known: Vec<String>,
    },
    /// A field that is not there.
    Missing(String),
    /// Another value than the one that was found.
    Value {
        /// What is allowed, as it follows "expected".
        expected: String,
        /// What is there.
        found: String,
        /// The value that was probably meant.
        meant: Option<String>,
    },
}

impl Violation {
    pub(super) fn value(field: FieldPath, expected: impl Into<String>, found: &Value) -> Self {
        let expected = Expectation::Value { expected: expected.into(), found: short(found), meant: None };
        Self { field, expected }
    }

    /// One of these values was expected.
    pub(super) fn choice(field: FieldPath, allowed: &[&Value], found: &Value) -> Self {
        let expected = match allowed {
            [one] => short(one),
            _ => format!("one of {}", allowed.iter().map(|value| short(value)).collect::<Vec<_>>().join(", ")),
        };
        let names = allowed.iter().filter_map(|value| value.as_str());
        let meant = found.as_str().and_then(|found| closest(found, names)).map(shown);
        Self { field, expected: Expectation::Value { expected, found: short(found), meant } }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expected {
            Expectation::Unknown { name, known } => {
                write!(f, "there is no `{}` here; ", harmless_text(name))?;
                match closest(name, known.iter().map(String::as_str)) {
                    Some(meant) => write!(f, "did you mean `{}`?", harmless_text(meant)),
                    None if known.is_empty() => f.write_str("nothing can stand here"),
                    None => write!(f, "there are {}", harmless_text(&known.join(", "))),
                }
            }
            Expectation::Missing(name) => write!(f, "`{}` is missing", harmless_text(name)),
            Expectation::Value { expected, found, meant } => {
                write!(f, "expected {expected}, found {found}")?;
                meant.as_ref().map_or(Ok(()), |meant| write!(f, "; did you mean {meant}?"))
            }
        }
    }
}

/// A value in a few words.
pub(super) fn short(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => shown(text),
        Value::Array(list) if list.is_empty() => "an empty list".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(object) if object.is_empty() => "an empty object".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// Text in quotes, cut off where it gets long.
pub(super) fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(SHOWN).map(harmless).collect();
    if chars.next().is_some() { format!("\"{start}…\"") } else { format!("\"{start}\"") }
}

fn harmless_text(text: &str) -> String {
    text.chars().take(1_000).map(harmless).collect()
}

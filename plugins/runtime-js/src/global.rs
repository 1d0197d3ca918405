//! What the values are assigned to.

use std::fmt;

use portkeeper_plugin_sdk::json::{self, Map, Value};
use serde::{Deserialize, Deserializer, de};

/// A path of names, such as `window.RUNTIME`. Nothing else is let through, because it becomes code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Global(String);

impl Default for Global {
    fn default() -> Self {
        Self("window.RUNTIME".to_owned())
    }
}

impl fmt::Display for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Global {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A bare name would be a variable that a strict script may not create (ECMA-262, 6.2.5.6 PutValue).
        if text.contains('.') && text.split('.').all(is_name) {
            return Ok(Self(text));
        }
        Err(de::Error::custom(format!(
            "`{text}` cannot be assigned to: write names joined by dots, for example window.RUNTIME"
        )))
    }
}

/// Letters, digits, `_` and `$`, no digit first: the names of ECMA-262, 12.7, that need no Unicode tables.
fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    text.chars().all(inner) && text.starts_with(|c: char| !c.is_ascii_digit())
}

impl Global {
    /// Where the text assigns to it, also with blanks before the equals sign. A comparison is no assignment.
    pub(crate) fn assigned_in(&self, text: &str) -> Option<usize> {
        text.match_indices(&self.0).map(|(at, _)| at).find(|&at| {
            let part_of_longer = text[..at].ends_with(|c: char| c.is_alphanumeric() || "_$.".contains(c));
            let rest = text[at + self.0.len()..].trim_start().strip_prefix('=');
            !part_of_longer && rest.is_some_and(|rest| !rest.starts_with(['=', '>']))
        })
    }

    /// The values of a file that is nothing but the line `window.RUNTIME = {...};`, as the Python tool wrote it.
    pub(crate) fn python_line(&self, body: &str) -> Option<Map> {
        let line = body.trim_end();
        let json = line.strip_prefix(&self.0)?.strip_prefix(" = ")?.strip_suffix(';')?;
        match json::parse(json) {
            Ok(Value::Object(values)) if !line.contains('\n') => Some(values),
            _ => None,
        }
    }
}

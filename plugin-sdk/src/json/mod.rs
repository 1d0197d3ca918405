//! JSON values: the map and the options of a request.
//!
//! Objects keep the order of their text, and numbers the way they are written. That makes it a fifth of what serde_json would add to a
//! plugin; whoever wants serde's types all the same reads [`Request::map`](crate::Request::map) with serde_json.
//!
//! ```
//! use portkeeper_plugin_sdk::json::{self, Value};
//!
//! let value = json::parse(r#"{"b": 1.50, "a": [true, "x\n"]}"#).unwrap();
//! let map = value.as_object().unwrap();
//! assert_eq!(map.keys().collect::<Vec<_>>(), ["b", "a"]);
//! assert_eq!(map.get("b"), json::parse("15e-1").ok().as_ref());
//! assert_eq!(value.to_string(), r#"{"b":1.50,"a":[true,"x\n"]}"#);
//! ```

mod number;
mod parse;
mod write;

use std::collections::BTreeMap;

pub use number::Number;
pub use parse::{ParseError, parse};

/// A JSON value.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Value {
    /// `null`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(Number),
    /// Text.
    String(String),
    /// `[...]`
    Array(Vec<Value>),
    /// `{...}`
    Object(Map),
}

impl Value {
    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The items of an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The entries of an object, to be changed.
    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Map> {
        if let Self::Object(map) = self { Some(map) } else { None }
    }

    /// The entries of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&Map> {
        if let Self::Object(map) = self { Some(map) } else { None }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number.into())
    }
}

/// So many keys are looked through from end to end.
const SHORT: usize = 16;

/// An object: its entries in the order of the text. Of a key that stands there twice the last value counts.
#[derive(Debug, Clone, Default)]
pub struct Map {
    entries: Vec<(String, Value)>,
    /// Where each key is, once there are many.
    index: BTreeMap<String, usize>,
}

impl Map {
    /// An object with nothing in it.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), index: BTreeMap::new() }
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.position(key).map(|at| &self.entries[at].1)
    }

    /// Gives a key its value: where it stands, else at the end.
    pub fn insert(&mut self, key: String, value: Value) {
        match self.position(&key) {
            Some(at) => self.entries[at].1 = value,
            None => self.push(key, value),
        }
    }

    /// Gives the place that the keys lead to its value, in objects that are made where there are none. False, and nothing is done, when
    /// something stands there or on the way.
    pub(crate) fn put(&mut self, keys: &[String], value: Value) -> bool {
        let Some((key, inner)) = keys.split_first() else { return false };
        let at = self.position(key);
        match (at.map(|at| &mut self.entries[at].1), inner) {
            (Some(Value::Object(map)), [_, ..]) => map.put(inner, value),
            (Some(_), _) => false,
            (None, _) => {
                self.push(key.clone(), crate::leaf::nested(inner, value));
                true
            }
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        if self.len() > SHORT {
            return self.index.get(key).copied();
        }
        self.entries.iter().position(|(name, _)| name == key)
    }

    /// Adds a key that is not there.
    fn push(&mut self, key: String, value: Value) {
        self.entries.push((key, value));
        let known = if self.len() > SHORT + 1 { self.len() - 1 } else { 0 };
        if self.len() > SHORT {
            let new = self.entries.iter().enumerate().skip(known);
            self.index.extend(new.map(|(at, (key, _))| (key.clone(), at)));
        }
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// The entries.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// Without regard to order, as JSON has it.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl FromIterator<(String, Value)> for Map {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        let mut map = Self::new();
        entries.into_iter().for_each(|(key, value)| map.insert(key, value));
        map
    }
}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests;

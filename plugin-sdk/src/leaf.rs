//! The map as a list of places in a document, and what shall stand at each: for formats whose documents are trees, such as JSON,
//! YAML and TOML.
//!
//! A key of the map may be a path, `"server.port"`, into lists as well: `"servers.0.url"` or `"servers[0].url"` is an item by its index, and
//! `"configurations[name=Launch].port"` the only one whose `name` says so. Several fields are separated by commas, and a field may lie deeper:
//! `[kind=Service,metadata.name=web]`. A backslash takes the meaning from a dot and a bracket. A key that the document has literally, dot and
//! all, is meant before the path. What could be one thing or another is refused.
//!
//! A format shows its document as a [`Tree`], gets the [`Change`]s that all leaves want from [`plan`], and writes each at its place: so
//! JSON, YAML and TOML agree about paths, types and lists.
//!
//! ```
//! use portkeeper_plugin_sdk::Request;
//! use portkeeper_plugin_sdk::leaf;
//!
//! let map = r#"{"server.port": 8888, "log": {"level": "info"}}"#;
//! let map = Request { map: map.to_owned(), ..Request::new("config.json") }.json_map().unwrap();
//! let names: Vec<_> = leaf::leaves(&map).unwrap().iter().map(leaf::Leaf::name).collect();
//! assert_eq!(names, ["server.port", "log.level"]);
//! ```

mod path;
mod plan;
#[cfg(test)]
mod tests;
mod tree;
mod untouched;

pub use plan::{Change, Planned, plan, whole};
pub use tree::{Shape, Tree};
pub use untouched::{Rest, Spans, found_again, not_possible};

use crate::Failure;
use crate::json::{Map, Value};
use path::Part;

/// How deep a place may lie. Nobody's configuration comes near, and what is written must be readable again.
const DEEPEST: usize = 100;

/// How many digits every reader keeps exactly (RFC 8259, section 6: the whole numbers of a double).
const EXACT_DIGITS: usize = 15;

/// One place and its value: anything but an object with something in it.
#[derive(Debug)]
pub struct Leaf<'a> {
    /// The keys of the map from the outside in, each split at its dots.
    keys: Vec<Vec<Part>>,
    /// What shall stand there.
    pub value: &'a Value,
}

impl Leaf<'_> {
    /// The place as people write it.
    #[must_use]
    pub fn name(&self) -> String {
        self.keys.iter().flat_map(|parts| texts(parts)).collect::<Vec<_>>().join(".")
    }

    /// The value for a place that has none yet. `numbers`: a text that is a whole number becomes one, in lists and objects as well.
    #[must_use]
    pub fn new_value(&self, numbers: bool) -> Value {
        if numbers { with_numbers(self.value) } else { self.value.clone() }
    }

    /// The failure of a leaf that would replace what must not get lost: what stands in the document, and what the map wants instead.
    #[must_use]
    pub fn clash(&self, key: &str, found: &str, wanted: &str) -> Failure {
        Failure::bad_target(format!("`{key}` is {found} here, and the map's `{}` wants it to be {wanted}", self.name()))
            .help("Nothing is replaced that would be lost. Change the map, or remove the value from the file.")
    }
}

/// All leaves, in the map's order.
///
/// # Errors
/// `bad-map` for a key with an empty part, for two values for one place, and for a map that is nested too deeply.
pub fn leaves(map: &Map) -> Result<Vec<Leaf<'_>>, Failure> {
    let mut found = Vec::new();
    collect(map, &[], &mut found)?;
    refuse_conflicts(&found)?;
    Ok(found)
}

fn with_numbers(value: &Value) -> Value {
    match value {
        Value::String(text) => whole_number(text).unwrap_or_else(|| value.clone()),
        Value::Array(items) => Value::Array(items.iter().map(with_numbers).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.to_owned(), with_numbers(value))).collect())
        }
        other => other.clone(),
    }
}

/// The value inside of objects, the keys from the outside in.
#[must_use]
pub fn nested(keys: &[String], value: Value) -> Value {
    keys.iter().rev().fold(value, |inner, key| Value::Object(Map::from_iter([(key.clone(), inner)])))
}

/// A text as a number when it is a whole number, written the usual way, that every reader keeps exactly.
#[must_use]
pub fn whole_number(text: &str) -> Option<Value> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let usual = digits.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !digits.starts_with('0'));
    let fits = (1..=EXACT_DIGITS).contains(&digits.len());
    if usual && fits { text.parse::<i64>().ok().map(Value::from) } else { None }
}

fn collect<'a>(map: &'a Map, outer: &[Vec<Part>], found: &mut Vec<Leaf<'a>>) -> Result<(), Failure> {
    for (key, value) in map.iter() {
        let mut keys = outer.to_vec();
        keys.push(path::parts(key)?);
        if keys.iter().map(Vec::len).sum::<usize>() > DEEPEST {
            return Err(Failure::bad_map(format!("the map is nested deeper than {DEEPEST} levels")));
        }
        match value {
            Value::Object(inner) if !inner.is_empty() => collect(inner, &keys, found)?,
            _ => found.push(Leaf { keys, value }),
        }
    }
    Ok(())
}

/// The parts as the documents have them that make a key of each.
fn texts(parts: &[Part]) -> impl Iterator<Item = String> {
    parts.iter().map(|part| part.text.clone())
}

/// All parts as one key.
fn literal(parts: &[Part]) -> String {
    texts(parts).collect::<Vec<_>>().join(".")
}

/// Two values for one place, or a value where another key wants an object, would make the result a matter of order.
fn refuse_conflicts(leaves: &[Leaf<'_>]) -> Result<(), Failure> {
    // By their names: the document may have the key with the dot, which both would mean then.
    let steps = |leaf: &Leaf<'_>| leaf.keys.iter().flatten().flat_map(Part::steps).collect();
    let mut paths: Vec<Vec<_>> = leaves.iter().map(steps).collect();
    // What begins with a path comes right after it.
    paths.sort_unstable();
    let clash = paths.windows(2).find(|pair| pair[1].starts_with(&pair[0]));
    let Some([outer, inner]) = clash else { return Ok(()) };
    let (outer, inner) = (outer.join("."), inner.join("."));
    Err(Failure::bad_map(if outer == inner {
        format!("the map names `{outer}` twice")
    } else {
        format!("the map gives `{outer}` a value, and `{inner}` needs it to be an object")
    }))
}

//! The map as places: keys inside of keys, and the values that shall stand there.

use std::collections::BTreeSet;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::{Map, Value};

/// How deep a map may be nested.
const DEEPEST: usize = 100;

/// A place and its value.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The keys of the map from the outside in, each split at its dots.
    pub(crate) levels: Vec<Vec<String>>,
    pub(crate) value: &'a Value,
}

impl Place<'_> {
    /// The place as people write it.
    pub(crate) fn name(&self) -> String {
        self.levels.concat().join(".")
    }
}

/// All places, in the map's order.
pub(crate) fn places(map: &Map) -> Result<Vec<Place<'_>>, Failure> {
    let mut found = Vec::new();
    collect(map, &[], &mut found)?;
    let mut names = BTreeSet::new();
    match found.iter().find(|place| !names.insert(place.name())) {
        Some(twice) => Err(Failure::bad_map(format!("the map names `{}` twice", twice.name()))),
        None => Ok(found),
    }
}

fn collect<'a>(map: &'a Map, outer: &[Vec<String>], found: &mut Vec<Place<'a>>) -> Result<(), Failure> {
    for (key, value) in map.iter() {
        let mut levels = outer.to_vec();
        levels.push(split(key)?);
        if levels.len() > DEEPEST {
            return Err(Failure::bad_map(format!("the map is nested deeper than {DEEPEST} levels")));
        }
        match value {
            Value::Object(inner) => collect(inner, &levels, found)?,
            _ => found.push(Place { levels, value }),
        }
    }
    Ok(())
}

/// The parts of a dotted key. A backslash takes the next dot's or backslash's meaning away.
fn split(key: &str) -> Result<Vec<String>, Failure> {
    let mut parts = vec![String::new()];
    let mut chars = key.chars().peekable();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            '.' => parts.push(String::new()),
            '\\' => parts[last].push(chars.next_if(|next| matches!(next, '.' | '\\')).unwrap_or('\\')),
            c => parts[last].push(c),
        }
    }
    if parts.iter().any(String::is_empty) {
        return Err(Failure::bad_map(format!("the map's key `{key}` has an empty part"))
            .help("A dot separates the keys of a path. Write `\\.` for a dot that is part of a key."));
    }
    Ok(parts)
}

/// A single value as text: null is no text.
pub(crate) fn text(name: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => {
            Err(Failure::bad_map(format!("`{name}` has a list or an object where this format has single values")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portkeeper_plugin_sdk::Request;

    #[test]
    fn keys_are_split_at_their_dots_level_by_level() {
        let map = r#"{"a.b": 1, "c\\.d": {"e": "x"}}"#.to_owned();
        let map = Request { map, ..Request::new("f") }.json_map().unwrap();
        let levels: Vec<_> = places(&map).unwrap().into_iter().map(|place| place.levels).collect();
        assert_eq!(levels, [vec![vec!["a", "b"]], vec![vec!["c.d"], vec!["e"]]]);
    }

    #[test]
    fn a_place_is_named_once() {
        let map = Request { map: r#"{"a.b": 1, "a": {"b": 2}}"#.to_owned(), ..Request::new("f") }.json_map().unwrap();
        assert!(places(&map).unwrap_err().message.contains("twice"));
    }
}

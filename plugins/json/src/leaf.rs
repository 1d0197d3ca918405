//! The map as a list of places in the document and what shall stand there.

use std::collections::BTreeSet;

use portkeeper_plugin_sdk::Failure;
use serde_json::{Map, Value};

/// How deep a place may lie. Nobody's configuration comes near, and what is written must be readable again.
const DEEPEST: usize = 100;

/// One place and its value: anything but an object with something in it.
#[derive(Debug)]
pub(crate) struct Leaf<'a> {
    /// The keys of the map from the outside in, each split at its dots.
    pub(crate) keys: Vec<Vec<String>>,
    pub(crate) value: &'a Value,
}

impl Leaf<'_> {
    /// The place as people write it.
    pub(crate) fn name(&self) -> String {
        self.keys.concat().join(".")
    }
}

/// All leaves, in the map's order.
pub(crate) fn leaves(map: &Map<String, Value>) -> Result<Vec<Leaf<'_>>, Failure> {
    let mut found = Vec::new();
    collect(map, &[], &mut found)?;
    refuse_conflicts(&found)?;
    Ok(found)
}

fn collect<'a>(map: &'a Map<String, Value>, outer: &[Vec<String>], found: &mut Vec<Leaf<'a>>) -> Result<(), Failure> {
    for (key, value) in map {
        let mut keys = outer.to_vec();
        keys.push(split(key)?);
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

/// Two values for one place, or a value where another key wants an object, would make the result a matter of order.
fn refuse_conflicts(leaves: &[Leaf<'_>]) -> Result<(), Failure> {
    let mut names = BTreeSet::new();
    for name in leaves.iter().map(Leaf::name) {
        if names.contains(&name) {
            return Err(Failure::bad_map(format!("the map names `{name}` twice")));
        }
        names.insert(name);
    }
    for name in &names {
        let outer = name.match_indices('.').map(|(at, _)| &name[..at]).find(|&outer| names.contains(outer));
        if let Some(outer) = outer {
            return Err(Failure::bad_map(format!(
                "the map gives `{outer}` a value, and `{name}` needs it to be an object"
            )));
        }
    }
    Ok(())
}

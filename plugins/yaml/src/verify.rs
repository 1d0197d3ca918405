//! What was written is read again: the document says what it said before, but for what was planned.

use std::collections::{HashMap, HashSet};

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::Map;
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

/// What may differ, by the nodes of the document before.
#[derive(Debug, Default)]
pub(crate) struct Allowed {
    /// Nodes that get another value.
    pub(crate) replaced: HashSet<Id>,
    /// Mappings that get new keys.
    pub(crate) grown: HashMap<Id, Vec<String>>,
    /// Lists that get another number of items.
    pub(crate) resized: HashMap<Id, usize>,
}

impl Allowed {
    pub(crate) fn grow(&mut self, map: Id, entries: &Map) {
        self.grown.insert(map, entries.keys().map(str::to_owned).collect());
    }
}

/// Whether the new document says what the old one says, but for what is allowed.
pub(crate) fn says_the_same(before: &Yaml, after: &Yaml, allowed: &Allowed) -> bool {
    let there = |yaml: &Yaml| yaml.root().filter(|&root| !yaml.is_null(root));
    match (there(before), there(after)) {
        (Some(old), Some(new)) => Comparison { before, after, allowed }.is_same(old, new),
        // Nothing was there, so nothing can be lost.
        (None, _) => true,
        (Some(_), None) => false,
    }
}

/// The refusal of edits that would change more than they should.
pub(crate) fn not_possible(key: &str) -> Failure {
    Failure::bad_target(format!("`{key}` cannot be put into this file without changing what else it says"))
        .help("Write the key yourself once, in lines like `key: value`; portkeeper then keeps its value up to date.")
}

struct Comparison<'a> {
    before: &'a Yaml,
    after: &'a Yaml,
    allowed: &'a Allowed,
}

impl Comparison<'_> {
    fn is_same(&self, old: Id, new: Id) -> bool {
        let (before, after) = (self.before.node(old), self.after.node(new));
        if before.tag != after.tag || before.anchor != after.anchor {
            return false;
        }
        if self.allowed.replaced.contains(&old) {
            return true;
        }
        match (&before.value, &after.value) {
            (Value::Text { text: one, style: first }, Value::Text { text: other, style: second }) => {
                one == other && (*first == Style::Plain) == (*second == Style::Plain)
            }
            (Value::Alias(one), Value::Alias(other)) => one == other,
            (Value::List(one), Value::List(other)) => self.is_same_list(old, one, other),
            (Value::Map(one), Value::Map(other)) => self.is_same_map(old, one, other),
            _ => false,
        }
    }

    fn is_same_list(&self, id: Id, old: &[Id], new: &[Id]) -> bool {
        let length = self.allowed.resized.get(&id).copied().unwrap_or(old.len());
        new.len() == length && old.iter().zip(new).all(|(&old, &new)| self.is_same(old, new))
    }

    fn is_same_map(&self, id: Id, old: &[(Id, Id)], new: &[(Id, Id)]) -> bool {
        let names = self.allowed.grown.get(&id).map_or(&[][..], Vec::as_slice);
        let Some((kept, added)) = new.split_at_checked(old.len()) else { return false };
        added.len() == names.len()
            && added.iter().zip(names).all(|(&(key, _), name)| self.after.text(key) == Some(name))
            && old.iter().zip(kept).all(|(old, new)| self.is_same(old.0, new.0) && self.is_same(old.1, new.1))
    }
}

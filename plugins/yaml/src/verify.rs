//! What was written is read again: the document says what it said before, but for what was planned.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

/// What may differ, by the nodes of the document before.
#[derive(Debug, Default)]
pub(crate) struct Allowed(Vec<Difference>);

/// What may differ about a node.
#[derive(Debug, Clone, Default)]
pub(crate) enum Difference {
    #[default]
    None,
    /// It gets another value.
    Value,
    /// A mapping gets these keys.
    Keys(Vec<String>),
    /// A list gets this many items.
    Length(usize),
}

impl Allowed {
    pub(crate) fn none(yaml: &Yaml) -> Self {
        Self(vec![Difference::None; yaml.len()])
    }

    pub(crate) fn add(&mut self, id: Id, difference: Difference) {
        self.0[id] = difference;
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
        match (&before.value, &after.value) {
            _ if matches!(self.allowed.0[old], Difference::Value) => true,
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
        let length = if let Difference::Length(length) = self.allowed.0[id] { length } else { old.len() };
        new.len() == length && old.iter().zip(new).all(|(&old, &new)| self.is_same(old, new))
    }

    fn is_same_map(&self, id: Id, old: &[(Id, Id)], new: &[(Id, Id)]) -> bool {
        let names = if let Difference::Keys(names) = &self.allowed.0[id] { names.as_slice() } else { &[] };
        let Some((kept, added)) = new.split_at_checked(old.len()) else { return false };
        added.len() == names.len()
            && added.iter().zip(names).all(|(&(key, _), name)| self.after.text(key) == Some(name))
            && old.iter().zip(kept).all(|(old, new)| self.is_same(old.0, new.0) && self.is_same(old.1, new.1))
    }
}

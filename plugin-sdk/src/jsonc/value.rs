//! Values as text.

use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged;

use crate::json::{Map, Number, Value};
use crate::text;

/// How a value is laid out at its place.
#[derive(Debug)]
pub(super) enum Layout<'a> {
    /// On one line, with this between a key and its value, and after a comma.
    Inline { colon: &'a str, comma: &'a str },
    /// A line for every item.
    Lines { end: &'a str, indent: String, unit: &'a str },
}

/// What to write in the place of a value of the text; none when that says the same already. Of a list that stays as long as it is only
/// the items change that say something else.
pub(super) fn in_place_of(text: &str, old: &Node<'_>, new: &Value, layout: &Layout<'_>) -> Option<String> {
    let inside = |pairs: Vec<(&Node<'_>, &Value)>| {
        let edit = |(old, new): (&Node<'_>, &Value)| {
            let place = old.range().start..old.range().end;
            in_place_of(text, old, new, layout).map(|written| (place, written))
        };
        let mut edits: Vec<_> = pairs.into_iter().filter_map(edit).collect();
        edits.sort_by_key(|(place, _)| place.start);
        (!edits.is_empty()).then(|| text::splice(text, old.range().start..old.range().end, &edits))
    };
    match (old, new) {
        (Node::Array(old), Value::Array(new)) if old.elements.len() == new.len() => {
            inside(old.elements.iter().zip(new).collect())
        }
        (Node::Object(old), Value::Object(new)) if has_keys(old, new) => {
            let value = |(key, new)| Some((&super::find(old, key)?.value, new));
            inside(new.iter().filter_map(value).collect())
        }
        (Node::NumberLit(_), Value::String(new)) if Number::parse(new).is_some() => {
            (!is_same(old, &Value::Number(Number::parse(new)?))).then(|| new.clone())
        }
        (Node::BooleanLit(old), Value::String(new)) if matches!(new.as_str(), "true" | "false") => {
            (old.value.to_string() != *new).then(|| new.clone())
        }
        _ if is_same(old, new) => None,
        _ => Some(write(new, layout)),
    }
    .filter(|_| old.range().end > old.range().start)
}

/// Whether the object has the keys of the value and no others.
fn has_keys(old: &Object<'_>, new: &Map) -> bool {
    old.properties.len() == new.len() && new.keys().all(|key| super::find(old, key).is_some())
}

/// Whether the node says what the value says.
fn is_same(old: &Node<'_>, new: &Value) -> bool {
    match (old, new) {
        (Node::NullKeyword(_), Value::Null) => true,
        (Node::BooleanLit(old), Value::Bool(new)) => old.value == *new,
        (Node::NumberLit(old), Value::Number(new)) => Number::parse(old.value).as_ref() == Some(new),
        (Node::StringLit(old), Value::String(new)) => old.value == new.as_str(),
        (Node::Array(old), Value::Array(new)) => {
            old.elements.len() == new.len() && old.elements.iter().zip(new).all(|(old, new)| is_same(old, new))
        }
        (Node::Object(old), Value::Object(new)) => {
            let found = |key: &str| super::find(old, key).map(|property| &property.value);
            old.properties.len() == new.len()
                && new.iter().all(|(key, new)| found(key).is_some_and(|old| is_same(old, new)))
        }
        _ => false,
    }
}

/// The value as JSON. `Lines` starts where the value's first character stands.
pub(super) fn write(value: &Value, layout: &Layout<'_>) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| write(item, &layout.inner())).collect();
            layout.wrap('[', &items, ']')
        }
        Value::Object(map) => {
            let items = map.iter().map(|(key, value)| property(key, value, &layout.inner()));
            layout.wrap('{', &items.collect::<Vec<_>>(), '}')
        }
        other => other.to_string(),
    }
}

/// A key and its value.
pub(super) fn property(key: &str, value: &Value, layout: &Layout<'_>) -> String {
    let colon = if let Layout::Inline { colon, .. } = layout { colon } else { ": " };
    format!("{}{colon}{}", Value::from(key), write(value, layout))
}

impl Layout<'_> {
    /// The layout one level further in.
    pub(super) fn inner(&self) -> Layout<'_> {
        match self {
            Layout::Inline { colon, comma } => Layout::Inline { colon, comma },
            Layout::Lines { end, indent, unit } => Layout::Lines { end, indent: format!("{indent}{unit}"), unit },
        }
    }

    fn wrap(&self, open: char, items: &[String], close: char) -> String {
        match self {
            _ if items.is_empty() => format!("{open}{close}"),
            Layout::Inline { comma, .. } => format!("{open}{}{close}", items.join(comma)),
            Layout::Lines { end, indent, unit } => {
                let items = items.join(&format!(",{end}{indent}{unit}"));
                format!("{open}{end}{indent}{unit}{items}{end}{indent}{close}")
            }
        }
    }
}

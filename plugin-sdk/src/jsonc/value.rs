//! Values as text.

use jsonc_parser::ast::Value as Node;
use jsonc_parser::common::Ranged;
use serde_json::{Number, Value};

/// How a value is laid out at its place.
#[derive(Debug)]
pub(super) enum Layout<'a> {
    /// On one line, with this between a key and its value, and after a comma.
    Inline { colon: &'a str, comma: &'a str },
    /// A line for every item.
    Lines { end: &'a str, indent: String, unit: &'a str },
}

/// What to write in the place of a value; none when that says the same already.
pub(super) fn in_place_of(old: &Node<'_>, new: &Value, layout: &Layout<'_>) -> Option<String> {
    match (old, new) {
        (Node::NumberLit(old), Value::String(new)) if is_number(new) => {
            (!same_number(old.value, new)).then(|| new.clone())
        }
        (Node::NumberLit(old), Value::Number(new)) => {
            let new = new.to_string();
            (!same_number(old.value, &new)).then_some(new)
        }
        (Node::BooleanLit(old), Value::String(new)) if matches!(new.as_str(), "true" | "false") => {
            (old.value.to_string() != *new).then(|| new.clone())
        }
        _ if Value::from(old.clone()) == *new => None,
        _ => Some(write(new, layout)),
    }
    .filter(|_| old.range().end > old.range().start)
}

fn is_number(text: &str) -> bool {
    text.trim() == text && number(text).is_some()
}

fn number(text: &str) -> Option<Number> {
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) => Some(number),
        _ => None,
    }
}

fn same_number(old: &str, new: &str) -> bool {
    match (number(old), number(new)) {
        (Some(old), Some(new)) if old == new => true,
        // 8888 and 8.888e3.
        (Some(old), Some(new)) if old.is_f64() || new.is_f64() => old.as_f64() == new.as_f64(),
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

//! Values as text.

use jsonc_parser::ast::Value as Node;

use crate::json::{Number, Value};

/// How a value is laid out at its place.
#[derive(Debug, Clone)]
pub(super) enum Layout<'a> {
    /// On one line, with this between a key and its value, and after a comma.
    Inline { colon: &'a str, comma: &'a str },
    /// A line for every item.
    Lines { end: &'a str, indent: String, unit: &'a str },
}

/// What to write in the place of a single value: a number or truth value stays one when the new text reads as one.
pub(super) fn in_place_of(old: &Node<'_>, new: &Value) -> Option<String> {
    match (old, new) {
        (Node::NumberLit(_), Value::String(new)) if Number::parse(new).is_some() => Some(new.clone()),
        (Node::BooleanLit(_), Value::String(new)) if matches!(new.as_str(), "true" | "false") => Some(new.clone()),
        (_, Value::Array(_) | Value::Object(_)) => None,
        _ => Some(new.to_string()),
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

//! What a scalar means, and how its place gets another value.

use portkeeper_plugin_sdk::json::{Number, Value as Json};
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

use crate::write;

/// What a reader of YAML 1.2 makes of a scalar (10.3, the core schema).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Bool,
    Number,
    Text,
}

impl Kind {
    pub(crate) fn of(text: &str, style: Style) -> Self {
        match text {
            _ if style != Style::Plain => Self::Text,
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Self::Bool,
            _ if whole(text).is_some() || number(text).is_some() => Self::Number,
            _ => Self::Text,
        }
    }
}

/// Whether the node says what the new value says.
pub(crate) fn says(yaml: &Yaml, id: Id, new: &Json) -> bool {
    let node = yaml.node(id);
    match (&node.value, new) {
        (Value::Alias(_), _) if yaml.resolve(id) != id => says(yaml, yaml.resolve(id), new),
        (Value::List(items), Json::Array(new)) => {
            items.len() == new.len() && items.iter().zip(new).all(|(&item, new)| says(yaml, item, new))
        }
        (Value::Map(entries), Json::Object(new)) => {
            let entry = |&(key, value): &(Id, Id)| {
                yaml.text(key).and_then(|key| new.get(key)).is_some_and(|new| says(yaml, value, new))
            };
            entries.len() == new.len() && entries.iter().all(entry)
        }
        (Value::Text { text, style }, _) => is_same(text, *style, new),
        _ => false,
    }
}

fn is_same(text: &str, style: Style, new: &Json) -> bool {
    match (Kind::of(text, style), new) {
        (Kind::Null, new) => new.is_null(),
        (Kind::Bool, Json::Bool(new)) => text.eq_ignore_ascii_case(if *new { "true" } else { "false" }),
        (Kind::Bool, Json::String(new)) => text.eq_ignore_ascii_case(new),
        (Kind::Number, Json::Number(new)) => same_number(text, new.as_str()),
        (Kind::Number, Json::String(new)) => same_number(text, new),
        (Kind::Text, Json::String(new)) => text == new,
        _ => false,
    }
}

/// What to write in the place of a scalar that says something else. A number or truth value stays one when the new text reads as
/// one, and text keeps its quotes where it can.
pub(crate) fn in_place_of(old: &str, style: Style, new: &Json) -> String {
    let Json::String(text) = new else { return write::flow(new, write::Quotes::AsNeeded) };
    match (Kind::of(old, style), style) {
        (Kind::Number, _) if Number::parse(text).is_some() => text.clone(),
        (Kind::Bool, _) if matches!(text.as_str(), "true" | "false") => text.clone(),
        (Kind::Text, Style::Plain) if write::is_plain(text) || is_address(text) => text.clone(),
        (_, Style::Plain) if write::is_plain(text) => text.clone(),
        (_, Style::Single) => write::single(text).unwrap_or_else(|| write::double(text)),
        _ => write::double(text),
    }
}

/// Digits and at least two dots, such as 127.0.0.1: no reader takes it for a number.
fn is_address(text: &str) -> bool {
    let parts = text.split('.');
    parts.clone().count() > 2
        && parts.clone().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

fn same_number(old: &str, new: &str) -> bool {
    match (whole(old), whole(new)) {
        (Some(old), Some(new)) => old == new,
        _ => number(old).is_some_and(|old| number(new) == Some(old)),
    }
}

/// A whole number in one of the forms of the core schema.
fn whole(text: &str) -> Option<i64> {
    let (digits, radix) = match text.split_at_checked(2) {
        Some(("0x", digits)) => (digits, 16),
        Some(("0o", digits)) => (digits, 8),
        _ => (text, 10),
    };
    let is_bare = radix == 10 || !digits.starts_with(['+', '-']);
    i64::from_str_radix(digits, radix).ok().filter(|_| is_bare)
}

/// A number with a fraction or exponent; none for `.inf`, `.nan` and what starts or ends with a point.
fn number(text: &str) -> Option<Number> {
    Number::parse(text.strip_prefix('+').unwrap_or(text))
}

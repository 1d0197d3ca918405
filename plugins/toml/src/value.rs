//! Values and keys as text, and whether two say the same.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::{Number, Value as Json};
use toml_parser::decoder::{Encoding, ScalarKind};

use crate::document::Scalar;

/// What to write in the place of a single value. A number or truth value stays one when the new text reads as one, and text keeps its
/// kind of quotes where it can.
pub(crate) fn in_place_of(old: &Scalar, new: &Json) -> Result<String, Failure> {
    let typed = match (&old.kind, new) {
        (ScalarKind::Integer(_), Json::String(text)) if text.parse::<i64>().is_ok() => decimal(text),
        (ScalarKind::Float, Json::String(text)) if is_float(text) => Some(text.clone()),
        (ScalarKind::Float, Json::String(text)) => decimal(text).map(|digits| format!("{digits}.0")),
        (ScalarKind::Boolean(_), Json::String(text)) if is_truth_value(text) => Some(text.clone()),
        (ScalarKind::String, Json::String(text)) if is_literal(old.quotes) && fits_literal(text) => {
            Some(format!("'{text}'"))
        }
        _ => None,
    };
    typed.map_or_else(|| write(new), Ok)
}

/// The value as TOML, on one line.
pub(crate) fn write(value: &Json) -> Result<String, Failure> {
    Ok(match value {
        Json::Null => {
            return Err(
                Failure::bad_map("the map has a null, and TOML has none").help("Leave the key out, or write a value.")
            );
        }
        Json::Bool(value) => value.to_string(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => basic(text),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(write).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let entry = |(name, value): (&str, &Json)| Ok(format!("{} = {}", key(name), write(value)?));
            let entries: Vec<_> = map.iter().map(entry).collect::<Result<_, Failure>>()?;
            format!("{{ {} }}", entries.join(", "))
        }
    })
}

/// A key, in quotes where it needs them (TOML 1.0, "Keys").
pub(crate) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { basic(name) }
}

/// Text in double quotes, with what may not stand there escaped (TOML 1.0, "String").
fn basic(text: &str) -> String {
    let mut written = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if c.is_control() => written.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push('"');
    written
}

fn is_literal(encoding: Option<Encoding>) -> bool {
    matches!(encoding, Some(Encoding::LiteralString | Encoding::MlLiteralString))
}

fn fits_literal(text: &str) -> bool {
    !text.contains(|c: char| c == '\'' || (c.is_control() && c != '\t'))
}

fn is_truth_value(text: &str) -> bool {
    matches!(text, "true" | "false")
}

/// The text if it is a whole number as TOML writes them.
fn decimal(text: &str) -> Option<String> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let usual = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    (usual && (digits == "0" || !digits.starts_with('0'))).then(|| text.to_owned())
}

/// Whether the text is a number with a fraction as TOML writes them: digits, a point, digits.
fn is_float(text: &str) -> bool {
    let fraction = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(whole, part)| decimal(whole).is_some() && fraction(part))
}

/// Whether the scalar says what the new value says. A text may stand for the number or truth value that it reads as.
pub(crate) fn says(Scalar { kind, text, .. }: &Scalar, new: &Json) -> bool {
    match (kind, new) {
        (ScalarKind::String, Json::String(new)) => text == new,
        (ScalarKind::Boolean(old), Json::Bool(new)) => old == new,
        (ScalarKind::Boolean(old), Json::String(new)) => old.to_string() == *new,
        (ScalarKind::Integer(radix), Json::String(new)) => {
            decimal(new).is_some() && i64::from_str_radix(text, radix.value()).ok() == new.parse().ok()
        }
        (ScalarKind::Integer(radix), Json::Number(new)) => {
            new.as_i64().is_some_and(|new| i64::from_str_radix(text, radix.value()) == Ok(new))
        }
        (ScalarKind::Float, Json::String(new)) => number(text).is_some_and(|old| number(new) == Some(old)),
        (ScalarKind::Float, Json::Number(new)) => number(text).as_ref() == Some(new),
        _ => false,
    }
}

/// A number of TOML as one of JSON; none for `inf` and `nan`.
fn number(text: &str) -> Option<Number> {
    Number::parse(text.strip_prefix('+').unwrap_or(text))
}

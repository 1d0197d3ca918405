//! New values and keys as YAML.

use portkeeper_plugin_sdk::json::{Map, Value as Json};

/// What an item of a list begins with.
pub(crate) const DASH: &str = "- ";

/// When text gets quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// When some reader would take it for something else.
    AsNeeded,
    /// Keys as well, as in JSON.
    Always,
}

/// `key: value` as lines, each with its indentation.
pub(crate) fn block_entry(key: &str, value: &Json, indent: usize, unit: usize) -> Vec<String> {
    let blanks = " ".repeat(indent);
    let name = text(key, Quotes::AsNeeded);
    match value {
        Json::Object(map) if !map.is_empty() => {
            let mut lines = vec![format!("{blanks}{name}:")];
            lines.extend(block_entries(value, indent + unit, unit));
            lines
        }
        _ => vec![format!("{blanks}{name}: {}", flow(value, Quotes::AsNeeded))],
    }
}

/// The entries of a mapping as lines.
pub(crate) fn block_entries(value: &Json, indent: usize, unit: usize) -> Vec<String> {
    let entries = value.as_object().into_iter().flat_map(Map::iter);
    entries.flat_map(|(key, value)| block_entry(key, value, indent, unit)).collect()
}

/// A mapping as an item of a list: its first key behind the dash.
pub(crate) fn block_item(map: &Map, indent: usize, unit: usize) -> Vec<String> {
    if map.is_empty() {
        return vec![format!("{}{DASH}{{}}", " ".repeat(indent))];
    }
    let inner = indent + DASH.len();
    let mut lines: Vec<_> = map.iter().flat_map(|(key, value)| block_entry(key, value, inner, unit)).collect();
    lines[0].replace_range(indent..inner, DASH);
    lines
}

/// A value on one line.
pub(crate) fn flow(value: &Json, quotes: Quotes) -> String {
    match value {
        Json::String(value) => text(value, quotes),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| flow(item, quotes)).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => format!("{{ {} }}", flow_entries(map, quotes)),
        other => other.to_string(),
    }
}

/// The entries of a mapping between braces.
pub(crate) fn flow_entries(map: &Map, quotes: Quotes) -> String {
    let entry = |(key, value): (&str, &Json)| format!("{}: {}", text(key, quotes), flow(value, quotes));
    map.iter().map(entry).collect::<Vec<_>>().join(", ")
}

fn text(value: &str, quotes: Quotes) -> String {
    if quotes == Quotes::AsNeeded && is_plain(value) { value.to_owned() } else { double(value) }
}

/// Whether every reader takes the text without quotes for the same text, in a line and between brackets: it starts with a letter or a
/// slash, has nothing that means something to YAML, and is no word that YAML 1.1 or 1.2 takes for something else.
pub(crate) fn is_plain(value: &str) -> bool {
    let first = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '/');
    let usual = value.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+=~ ".contains(c));
    first && usual && !value.contains(": ") && !value.ends_with([':', ' ']) && !is_word(value)
}

/// The words of YAML 1.1 and 1.2 for truth values and nothing (<https://yaml.org/type/bool.html>).
fn is_word(value: &str) -> bool {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    words.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// Text in double quotes (YAML 1.2.2, 5.7 and 7.3.1).
pub(crate) fn double(value: &str) -> String {
    let mut written = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => written.push_str("\\\""),
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            c if is_printable(c) => written.push(c),
            c if u32::from(c) > 0xffff => written.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => written.push_str(&format!("\\u{:04X}", u32::from(c))),
        }
    }
    written.push('"');
    written
}

/// Text in single quotes, where it can stand there.
pub(crate) fn single(value: &str) -> Option<String> {
    value.chars().all(is_printable).then(|| format!("'{}'", value.replace('\'', "''")))
}

/// Characters that may stand as they are, and that end no line in any version of YAML (1.2.2, 5.1 and 5.4).
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

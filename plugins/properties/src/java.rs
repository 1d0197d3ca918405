//! Java's properties (`java.util.Properties.load`): logical lines of keys and values with escapes, and continuation lines.
//!
//! Of a key that stands there twice the last value counts. A line `#---` or `!---` begins a further document to Spring, which often holds for some
//! profiles only; portkeeper keeps to the first. A list is written as Spring reads it: `hosts[0]`, `hosts[1]`. What is not ASCII is written as
//! `\uXXXX`, which is read alike whatever the encoding.

use std::collections::BTreeMap;
use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::Value;
use portkeeper_plugin_sdk::text;

use crate::Meaning;
use crate::edits::{Edits, Plan};
use crate::path::{self, Place};

const BLANK: [char; 3] = [' ', '\t', '\x0c'];

/// A key with its value.
#[derive(Debug)]
struct Entry {
    key: String,
    value: String,
    /// Between the key and the value, as it is written.
    separator: Range<usize>,
    /// The value as it is written.
    span: Range<usize>,
    /// Where the next line starts.
    end: usize,
    /// Counted from 1.
    line: usize,
    /// Which document it is in.
    document: usize,
}

#[derive(Debug)]
struct Java {
    entries: Vec<Entry>,
    /// Where the first document ends.
    first_end: usize,
}

/// What to change for these places.
pub(crate) fn plan(old: &str, places: &[Place<'_>]) -> Result<Plan, Failure> {
    let java = read(old);
    let mut last: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in &java.entries {
        last.entry(&entry.key).or_default().push(entry);
    }
    let mut plan = Plan { edits: Edits::default(), expected: meaning(old)?, warnings: Vec::new() };
    let at = java.entries.iter().rfind(|entry| entry.document == 0).map_or(java.first_end, |entry| entry.end);
    let separator = java.usual_separator(old);
    for place in places {
        for (key, value) in values(&place.name(), place.value)? {
            let all = last.get(key.as_str()).map_or(&[][..], Vec::as_slice);
            let (first, further): (Vec<&Entry>, Vec<&Entry>) = all.iter().partition(|entry| entry.document == 0);
            match first.as_slice() {
                [] => plan.edits.insert_line(at, format!("{}{separator}{}", encode_key(&key), encode(&value))),
                [earlier @ .., entry] => {
                    warn(&mut plan, &key, earlier, &further, entry);
                    if entry.value != value {
                        let gap = if entry.separator.is_empty() { "=" } else { "" };
                        plan.edits.replace(entry.span.clone(), format!("{gap}{}", encode(&value)));
                    }
                }
            }
            expect(&mut plan.expected, key, value, !first.is_empty());
        }
    }
    Ok(plan)
}

/// Duplicates are not changed: of the first document's the last counts, and a further document may win in its profile.
fn warn(plan: &mut Plan, key: &str, earlier: &[&Entry], further: &[&Entry], entry: &Entry) {
    let counted = entry.line;
    if let Some(duplicate) = earlier.last() {
        let message =
            format!("`{key}` stands here too; the one in line {counted} counts, and only that one is kept up to date");
        plan.warnings.push((duplicate.line, message));
    }
    if let Some(other) = further.first() {
        let message = format!("`{key}` stands here too, in a further document that may win over line {counted}");
        plan.warnings.push((other.line, message));
    }
}

fn expect(expected: &mut Meaning, key: String, value: String, stands: bool) {
    let values = expected.entry((document_name(0), key)).or_default();
    if stands {
        values.pop();
    }
    values.push(value);
}

/// What the text says.
#[expect(clippy::unnecessary_wraps, reason = "as of the other format, which refuses texts")]
pub(crate) fn meaning(text: &str) -> Result<Meaning, Failure> {
    let mut meaning = Meaning::new();
    for entry in read(text).entries {
        meaning.entry((document_name(entry.document), entry.key)).or_default().push(entry.value);
    }
    Ok(meaning)
}

fn document_name(document: usize) -> String {
    document.to_string()
}

/// A value as keys with texts: a list has an index for each item.
fn values(name: &str, value: &Value) -> Result<Vec<(String, String)>, Failure> {
    let Value::Array(items) = value else { return Ok(vec![(name.to_owned(), path::text(name, value)?)]) };
    let mut all = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let name = format!("{name}[{index}]");
        match item {
            Value::Object(object) => {
                for (key, value) in object.iter() {
                    all.extend(values(&format!("{name}.{key}"), value)?);
                }
            }
            item => all.extend(values(&name, item)?),
        }
    }
    Ok(all)
}

impl Java {
    /// What stands between the last key and its value: new lines look like the old ones.
    fn usual_separator<'a>(&self, text: &'a str) -> &'a str {
        let of_entries = self.entries.iter().rev().map(|entry| &text[entry.separator.clone()]);
        of_entries.into_iter().find(|separator| !separator.is_empty() && !separator.contains('\n')).unwrap_or("=")
    }
}

fn read(text: &str) -> Java {
    let mut java = Java { entries: Vec::new(), first_end: text.len() };
    let (mut at, mut line, mut document) = (0, 1, 0);
    while at < text.len() {
        let natural = text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1);
        let content = text[at..natural].trim_start_matches(BLANK);
        let mut end = natural;
        if content.starts_with(['#', '!']) {
            if matches!(content.trim_end(), "#---" | "!---") {
                if document == 0 {
                    java.first_end = at;
                }
                document += 1;
            }
        } else if !content.trim_end_matches(['\r', '\n']).is_empty() {
            let start = natural - content.len();
            end = logical_end(text, start);
            java.entries.push(entry(text, start, end, line, document));
        }
        line += text[at..end].matches('\n').count();
        at = end;
    }
    java
}

/// Where the logical line ends: behind the first line end that no odd number of backslashes stands before.
fn logical_end(text: &str, start: usize) -> usize {
    let mut at = start;
    loop {
        let Some(feed) = text[at..].find('\n').map(|feed| at + feed) else { return text.len() };
        let line = text::without_end(&text[at..=feed]);
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes.is_multiple_of(2) {
            return feed + 1;
        }
        at = feed + 1;
    }
}

fn entry(text: &str, start: usize, end: usize, line: usize, document: usize) -> Entry {
    let content = start + text::without_end(&text[start..end]).len();
    let key_end = find_unescaped(text, start..content, |c| matches!(c, '=' | ':') || BLANK.contains(&c));
    let mut value = skip_blanks(text, key_end..content);
    if text[value..content].starts_with(['=', ':']) {
        value = skip_blanks(text, value + 1..content);
    }
    Entry {
        key: decode(&text[start..key_end]),
        value: decode(&text[value..content]),
        separator: key_end..value,
        span: value..content,
        end,
        line,
        document,
    }
}

fn find_unescaped(text: &str, range: Range<usize>, wanted: impl Fn(char) -> bool) -> usize {
    let mut escaped = false;
    for (at, c) in text[range.clone()].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if wanted(c) => return range.start + at,
            _ => {}
        }
    }
    range.end
}

/// Blanks, and continuation lines with nothing before them.
fn skip_blanks(text: &str, range: Range<usize>) -> usize {
    let mut rest = &text[range.clone()];
    loop {
        let blank = rest.trim_start_matches(BLANK);
        let next = blank.strip_prefix("\\\r\n").or_else(|| blank.strip_prefix("\\\n")).unwrap_or(blank);
        if next.len() == rest.len() {
            return range.end - rest.len();
        }
        rest = next;
    }
}

/// The text without escapes and without the ends and indentation of continuation lines.
fn decode(written: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut chars = written.chars().peekable();
    let push = |units: &mut Vec<u16>, c: char| units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut units, c);
            continue;
        }
        match chars.next() {
            Some('t') => push(&mut units, '\t'),
            Some('n') => push(&mut units, '\n'),
            Some('r') => push(&mut units, '\r'),
            Some('f') => push(&mut units, '\x0c'),
            Some('u') => {
                let digits: String = chars.clone().take(4).collect();
                match u16::from_str_radix(&digits, 16) {
                    Ok(unit) if digits.len() == 4 => {
                        units.push(unit);
                        chars.nth(3);
                    }
                    _ => push(&mut units, 'u'),
                }
            }
            Some(end @ ('\r' | '\n')) => {
                if end == '\r' {
                    chars.next_if_eq(&'\n');
                }
                while chars.next_if(|c| BLANK.contains(c)).is_some() {}
            }
            Some(other) => push(&mut units, other),
            None => {}
        }
    }
    String::from_utf16_lossy(&units)
}

/// A value as every reader takes it.
fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        if at == 0 && matches!(c, ' ' | '=' | ':') {
            text.push('\\');
        }
        escape(c, &mut text);
    }
    text
}

fn encode_key(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for (at, c) in key.char_indices() {
        if matches!(c, ' ' | '=' | ':') || (at == 0 && matches!(c, '#' | '!')) {
            text.push('\\');
        }
        escape(c, &mut text);
    }
    text
}

fn escape(c: char, text: &mut String) {
    match c {
        '\\' => text.push_str("\\\\"),
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\x0c' => text.push_str("\\f"),
        ' '..='~' => text.push(c),
        c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04X}"))),
    }
}

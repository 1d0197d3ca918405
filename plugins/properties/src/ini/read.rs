//! From lines to sections and entries.

use portkeeper_plugin_sdk::{Failure, text};

use super::{Entry, Ini, Section};

/// Reads a text.
pub(super) fn read(text: &str) -> Result<Ini, Failure> {
    let mut ini = Ini::default();
    let mut section = String::new();
    let (mut at, mut block) = (0, 0);
    // The key that the line before belongs to, and whether a backslash joins the two.
    let mut open: Option<((String, String), bool)> = None;
    let mut quotes = Quotes { text, over: [false; 2] };
    for (line, (content, whole)) in (1..).zip(text::lines(text)) {
        let next = at + whole.len();
        let words = content.trim();
        let joined = open.as_ref().is_some_and(|(_, joined)| *joined);
        if joined {
            let goes_on = content.ends_with('\\');
            if let Some((key, joined)) = &mut open {
                *joined = goes_on;
                ini.extend(key, next);
            }
        } else if words.is_empty() {
            (open, block) = (None, next);
        } else if words.starts_with(['#', ';']) {
            // A comment belongs to what follows it.
        } else if words.starts_with('[') {
            let Some(end) = words.rfind(']').filter(|&end| end > 1) else {
                return Err(Failure::bad_target("this looks like a section and has no end")
                    .line(line)
                    .help("Write `[name]`."));
            };
            ini.first_header.get_or_insert(block);
            words[1..end].trim().clone_into(&mut section);
            let style = ini.sections.remove(&section).and_then(|section| section.style);
            ini.sections.insert(section.clone(), Section { end: next, style });
            open = None;
        } else {
            let indent = content.len() - content.trim_start().len();
            if let Some((key, _)) = &open {
                ini.mark_deeper(key, indent);
            }
            let (key, mut entry, quote) = entry(content, at, next, line, indent);
            let is_joined = entry.goes_on;
            if let Some((start, quote)) = quote {
                entry.goes_on = true;
                ini.open.extend(quotes.closing(next, quote).map(|end| start..end));
            }
            let place = (section.clone(), key);
            if !entry.separator.is_empty() {
                let style = (content[..indent].to_owned(), text[entry.separator.clone()].to_owned());
                ini.style = Some(style.clone());
                ini.sections.insert(section.clone(), Section { end: next, style: Some(style) });
            } else if let Some(known) = ini.sections.get_mut(&section) {
                known.end = next;
            }
            open = Some((place.clone(), is_joined));
            ini.entries.entry(place).or_default().push(entry);
        }
        if !words.starts_with(['#', ';']) && !words.starts_with('[') {
            block = next;
        }
        at = next;
    }
    Ok(ini)
}

impl Ini {
    /// A joined line belongs to the last entry of the key.
    fn extend(&mut self, key: &(String, String), end: usize) {
        if let Some(entry) = self.entries.get_mut(key).and_then(|entries| entries.last_mut()) {
            entry.whole.end = end;
        }
        if let Some(section) = self.sections.get_mut(&key.0) {
            section.end = end;
        }
    }

    /// A line that is indented deeper than the key above may belong to its value (configparser).
    fn mark_deeper(&mut self, key: &(String, String), indent: usize) {
        if let Some(entry) = self.entries.get_mut(key).and_then(|entries| entries.last_mut()) {
            entry.goes_on |= indent > entry.indent;
        }
    }
}

/// The key and value of a line, and the quote that is open at its end. One without a separator is a key without a value.
fn entry(content: &str, at: usize, next: usize, line: usize, indent: usize) -> (String, Entry, Option<(usize, char)>) {
    let found = content.find(['=', ':']).filter(|&separator| separator > indent);
    let key = content[..found.unwrap_or(content.len())].trim().to_owned();
    let key_end = indent + key.len();
    let start = found.map_or(content.trim_end().len(), |separator| {
        let rest = &content[separator + 1..];
        separator + 1 + rest.len() - rest.trim_start().len()
    });
    let value = &content[start..];
    let is_comment = value.starts_with([';', '#']) && content[..start].ends_with([' ', '\t']);
    let (length, quote) = if is_comment { (0, None) } else { scan(value) };
    let separator = if found.is_some() { at + key_end..at + start } else { at + start..at + start };
    let entry = Entry {
        span: at + start..at + start + length,
        separator,
        whole: at..next,
        line,
        indent,
        goes_on: content.ends_with('\\'),
    };
    (key, entry, quote.map(|(quote_at, quote)| (at + start + quote_at, quote)))
}

/// Looks for where open quotes end.
struct Quotes<'a> {
    text: &'a str,
    /// Whether there are no more double or single ones: they are not looked for again.
    over: [bool; 2],
}

impl Quotes<'_> {
    /// The next quote of the kind from here on.
    fn closing(&mut self, from: usize, quote: char) -> Option<usize> {
        let over = &mut self.over[usize::from(quote == '\'')];
        let found = if *over { None } else { self.text[from..].find(quote).map(|at| from + at) };
        *over = found.is_none();
        found
    }
}

/// Where the value ends that a line has behind its separator, and the quote that is open there.
///
/// A double quote is one wherever it stands, as for PHP and git; a single one only where the value begins: it is an apostrophe elsewhere.
pub(super) fn scan(value: &str) -> (usize, Option<(usize, char)>) {
    let mut open = None;
    let mut blank = false;
    let mut escaped = false;
    for (at, c) in value.char_indices() {
        match (c, open) {
            _ if escaped => escaped = false,
            ('\\', Some((_, '"')) | None) => escaped = true,
            (';' | '#', None) if blank => return (value[..at].trim_end().len(), None),
            ('"', None) => open = Some((at, '"')),
            ('\'', None) if at == 0 => open = Some((at, '\'')),
            (c, Some((_, quote))) if c == quote => open = None,
            _ => {}
        }
        blank = matches!(c, ' ' | '\t');
    }
    (value.trim_end().len(), open)
}

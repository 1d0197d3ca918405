//! What to change in a document for one leaf of the map.

use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::leaf::Leaf;
use portkeeper_plugin_sdk::text::{self, LineEnd};

use crate::document::{Document, Entry, Form, Id, ROOT, Table, Value};
use crate::value;

/// The text with the leaf's value at its place. `numbers`: new whole numbers are written as numbers.
pub(crate) fn set(text: &str, leaf: &Leaf<'_>, numbers: bool) -> Result<String, Failure> {
    let document = Document::read(text)?;
    let edit = Editor { document: &document, leaf, numbers }.edit()?;
    let mut new = text.to_owned();
    if let Some((place, written)) = edit {
        new.replace_range(place, &written);
    }
    Ok(new)
}

/// What to put in the place of what.
type Edit = (Range<usize>, String);

struct Editor<'a> {
    document: &'a Document<'a>,
    leaf: &'a Leaf<'a>,
    numbers: bool,
}

impl Editor<'_> {
    fn edit(&self) -> Result<Option<Edit>, Failure> {
        let walk = self.leaf.walk(ROOT, |id, key| self.document.child(id, key));
        match (self.document.table(walk.node), walk.missing.is_empty()) {
            (_, true) => self.replacement(walk.node, walk.key()),
            (Some(table), false) => self.insertion(walk.node, table, &walk.missing).map(Some),
            (None, false) => Err(self.clash(walk.node, walk.key(), "a table")),
        }
    }

    fn replacement(&self, id: Id, key: &str) -> Result<Option<Edit>, Failure> {
        let node = self.document.node(id);
        match (&node.value, self.leaf.value) {
            (Value::Table(_), Json::Object(_)) => Ok(None),
            (Value::Table(_) | Value::Tables(_), _) => Err(self.clash(id, key, "a single value")),
            (_, Json::Object(_)) => Err(self.clash(id, key, "a table")),
            (_, new) => {
                let written = value::in_place_of(self.document, id, new)?;
                Ok(written.map(|written| (node.span.clone(), written)))
            }
        }
    }

    fn insertion(&self, id: Id, table: &Table, missing: &[String]) -> Result<Edit, Failure> {
        let value = value::write(&self.leaf.new_value(self.numbers))?;
        let dotted = || missing.iter().map(|key| value::key(key)).collect::<Vec<_>>().join(".");
        match (table.form, missing) {
            (Form::Inline, _) => Ok(self.in_braces(id, table, &dotted(), &value)),
            (Form::Dotted, _) | (Form::Header, [_]) => Ok(self.line(id, table, &dotted(), &value)),
            (Form::Header | Form::Implied, _) => Ok(self.section(table, missing, &value)),
        }
    }

    /// ` key = value` after the last one in the braces.
    fn in_braces(&self, id: Id, table: &Table, key: &str, value: &str) -> Edit {
        let text = self.document.text;
        match &table.last {
            Some(last) => {
                (last.end..last.end, format!(", {}{key}{}{value}", &text[last.prefix.clone()], self.equals(last)))
            }
            None => {
                let span = &self.document.node(id).span;
                (span.start + 1..span.end - 1, format!(" {key} = {value} "))
            }
        }
    }

    /// A line below the last one of the table, and like it.
    fn line(&self, id: Id, table: &Table, key: &str, value: &str) -> Edit {
        let text = self.document.text;
        if let Some(last) = &table.last {
            let prefix = &text[last.prefix.clone()];
            let written = format!("{}{prefix}{key}{}{value}", indent_of(text, last.prefix.start), self.equals(last));
            return below(text, last.end, &written);
        }
        let written = format!("{key} = {value}");
        if id != ROOT {
            let header = &self.document.node(id).span;
            return below(text, header.end, &format!("{}{written}", indent_of(text, header.start)));
        }
        match self.first_header() {
            // What stands after a header belongs to its table.
            Some(header) => {
                let end = LineEnd::of(text).as_str();
                match above_comments(text, header) {
                    // What the file begins with is about the file, such as its license.
                    0 if text[..header].contains('#') => {
                        let at = text[..header].rfind('\n').map_or(0, |feed| feed + 1);
                        (at..at, format!("{end}{written}{end}{end}"))
                    }
                    at => (at..at, format!("{written}{end}{end}")),
                }
            }
            None => at_end(text, &written),
        }
    }

    /// A table of its own at the end of the text.
    fn section(&self, table: &Table, missing: &[String], value: &str) -> Edit {
        let text = self.document.text;
        let end = LineEnd::of(text).as_str();
        let (key, inner) = missing.split_last().map_or(("", missing), |(key, inner)| (key.as_str(), inner));
        let path: Vec<_> = table.path.iter().chain(inner).map(|key| value::key(key)).collect();
        let is_open =
            text.is_empty() || text.trim_end_matches([' ', '\t', '\r']).ends_with("\n\n") || text.ends_with("\n\r\n");
        let gap = if is_open { "" } else { end };
        let first = if text.is_empty() || text.ends_with('\n') { gap.to_owned() } else { format!("{end}{gap}") };
        let last = if text.is_empty() || text.ends_with('\n') { end } else { "" };
        let written = format!("{first}[{}]{end}{} = {value}{last}", path.join("."), value::key(key));
        (text.len()..text.len(), written)
    }

    /// Where the first `[header]` stands.
    fn first_header(&self) -> Option<usize> {
        let starts = self.document.nodes.iter().skip(1).map(|node| node.span.start);
        starts.filter(|&at| self.document.text[at..].starts_with('[')).min()
    }

    /// What stands between a new key and its value: as close as in the line above.
    fn equals(&self, like: &Entry) -> &'static str {
        if &self.document.text[like.equals.clone()] == "=" { "=" } else { " = " }
    }

    fn clash(&self, id: Id, key: &str, wanted: &str) -> Failure {
        let node = self.document.node(id);
        let found = match node.value {
            Value::Scalar(_) => "a single value",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
            Value::Tables(_) => "an array of tables",
        };
        self.leaf.clash(key, found, wanted).line(text::line_of(self.document.text, node.span.start))
    }
}

/// The edit that puts a line below the one that holds this byte.
fn below(text: &str, at: usize, line: &str) -> Edit {
    match text[at..].find('\n') {
        Some(feed) => {
            let at = at + feed + 1;
            (at..at, format!("{line}{}", LineEnd::of(text).as_str()))
        }
        None => at_end(text, line),
    }
}

/// The edit that puts a line at the end. A text without a final line end keeps having none.
fn at_end(text: &str, line: &str) -> Edit {
    let end = LineEnd::of(text).as_str();
    let is_open = !text.is_empty() && !text.ends_with('\n');
    (text.len()..text.len(), if is_open { format!("{end}{line}") } else { format!("{line}{end}") })
}

/// The start of the comments right above a line, or of the line itself.
fn above_comments(text: &str, at: usize) -> usize {
    let line_start = |at: usize| text[..at].rfind('\n').map_or(0, |feed| feed + 1);
    let mut start = line_start(at);
    while start > 0 {
        let above = line_start(start - 1);
        if !text[above..start].trim_start().starts_with('#') {
            break;
        }
        start = above;
    }
    start
}

/// The blanks that the line starts with.
fn indent_of(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |feed| feed + 1)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

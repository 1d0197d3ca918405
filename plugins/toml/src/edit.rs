//! From changes to places in the text.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::brackets::{Between, Brackets, Comments};
use portkeeper_plugin_sdk::edits::Edits;
use portkeeper_plugin_sdk::json::{Map, Value as Json};
use portkeeper_plugin_sdk::leaf::{Change, Planned, Tree};
use portkeeper_plugin_sdk::text::LineEnd;

use crate::document::{Document, Entry, Form, Id, ROOT, Table, Value};
use crate::sections::Sections;
use crate::value;

/// How deep an item of an array stands that has a line of its own.
const INDENT: &str = "    ";

/// Collects the edits of all changes.
pub(crate) struct Editor<'a> {
    document: &'a Document<'a>,
    end: &'static str,
    /// Where the first `[header]` stands.
    first_header: Option<usize>,
    /// What to change in the text.
    pub(crate) edits: Edits,
    /// What to put behind it.
    pub(crate) sections: Sections,
}

impl<'a> Editor<'a> {
    pub(crate) fn new(document: &'a Document<'a>) -> Self {
        let starts = document.nodes.iter().skip(1).map(|node| node.span.start);
        let first_header =
            starts.filter(|&at| document.text[at..].starts_with('[') && starts_line(document.text, at)).min();
        let end = LineEnd::of(document.text).as_str();
        Self { document, end, first_header, edits: Edits::default(), sections: Sections::default() }
    }

    pub(crate) fn write(&mut self, planned: &Planned<'_, Id>) -> Result<(), Failure> {
        match &planned.change {
            Change::Replace { node, value } => {
                let Value::Scalar(old) = &self.document.node(*node).value else { return Ok(()) };
                self.edits.replace(self.document.node(*node).span.clone(), value::in_place_of(old, value)?);
            }
            Change::Fill { node, value } => self.fill(*node, value)?,
            Change::Insert { map, entries } => self.insert(*map, entries)?,
            Change::Append { list, items } => self.append(planned, *list, items)?,
            Change::Truncate { list, keep } => self.truncate(planned, *list, *keep)?,
        }
        Ok(())
    }

    /// Items of an array that has none. A comment in it needs a line of its own.
    fn fill(&mut self, id: Id, value: &Json) -> Result<(), Failure> {
        let brackets = self.brackets(id);
        let items = written(value.as_array().unwrap_or_default())?;
        let outer = indent_of(self.document.text, brackets.span.start);
        let indent = format!("{outer}{INDENT}");
        let has_comment = self.document.text[brackets.span.clone()].contains('#');
        let lines = Between::Lines { end: self.end, indent: &indent };
        let between = if has_comment { lines } else { Between::Line(", ") };
        let (place, text) = brackets.fill(&items, between, outer);
        self.edits.replace(place, text);
        Ok(())
    }

    fn append(&mut self, planned: &Planned<'_, Id>, list: Id, items: &[Json]) -> Result<(), Failure> {
        let text = self.document.text;
        match &self.document.node(list).value {
            Value::Array(old) => {
                let [first, .., last] = [old.first(), old.last()].map(|id| id.map(|&id| &self.document.node(id).span));
                let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
                let between = if starts_line(text, first.start) {
                    Between::Lines { end: self.end, indent: indent_of(text, first.start) }
                } else {
                    Between::Line(", ")
                };
                let (place, text) = self.brackets(list).append(last.end, &written(items)?, between);
                self.edits.replace(place, text);
            }
            Value::Tables(tables) => {
                let path = tables.first().and_then(|&id| self.document.table(id)).map(|table| table.path.clone());
                for item in items {
                    let Json::Object(entries) = item else { return Err(self.clash(planned, list, "tables only")) };
                    self.sections.item(path.as_deref().unwrap_or_default(), entries)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn truncate(&mut self, planned: &Planned<'_, Id>, list: Id, keep: usize) -> Result<(), Failure> {
        let Value::Array(items) = &self.document.node(list).value else {
            // What stands below a header may be anywhere in the file.
            return Err(self.clash(planned, list, "shorter"));
        };
        let end_of = |id: &Id| self.document.node(*id).span.end;
        let Some(last) = items.last() else { return Ok(()) };
        let kept = keep.checked_sub(1).and_then(|at| items.get(at)).map(end_of);
        let edits = self.brackets(list).truncate(kept, end_of(last));
        edits.into_iter().for_each(|(place, text)| self.edits.replace(place, text));
        Ok(())
    }

    fn brackets(&self, id: Id) -> Brackets<'a> {
        let span = self.document.node(id).span.clone();
        Brackets { text: self.document.text, span, comments: Comments::Hash }
    }

    fn clash(&self, planned: &Planned<'_, Id>, id: Id, wanted: &str) -> Failure {
        planned.clash(self.document.in_words(id), wanted, self.document.line(id))
    }

    /// New keys of a table, in its own manner.
    fn insert(&mut self, id: Id, entries: &Map) -> Result<(), Failure> {
        let Some(table) = self.document.table(id) else { return Ok(()) };
        match table.form {
            Form::Inline => {
                let keys = dotted(entries)?;
                self.in_braces(id, table, &keys);
            }
            // A header would not say which of several tables it means.
            Form::Header if table.is_one_of_several => self.lines(id, table, &dotted(entries)?),
            Form::Dotted => self.lines(id, table, &dotted(entries)?),
            Form::Header => {
                let (lines, tables): (Vec<_>, Vec<_>) = entries.iter().partition(|(_, value)| !is_table(value));
                if !lines.is_empty() {
                    let lines: Map = lines.into_iter().map(|(key, value)| (key.to_owned(), value.clone())).collect();
                    self.lines(id, table, &dotted(&lines)?);
                }
                for (key, value) in tables {
                    let path = [table.path.as_slice(), &[key.to_owned()]].concat();
                    self.sections.table(&path, value.as_object().unwrap_or(&Map::new()))?;
                }
            }
            Form::Implied => self.sections.table(&table.path, entries)?,
        }
        Ok(())
    }

    /// ` key = value` after the last one in the braces.
    fn in_braces(&mut self, id: Id, table: &Table, keys: &[(String, String)]) {
        let text = self.document.text;
        let depth = table.path.len();
        match &table.last {
            Some(last) => {
                let (prefix, equals) = (&text[last.prefix.clone()], self.equals(last));
                let written = keys.iter().map(|(key, value)| format!(", {prefix}{key}{equals}{value}"));
                self.edits.insert(last.end..last.end, written.collect(), depth);
            }
            None => {
                let span = &self.document.node(id).span;
                let written: Vec<_> = keys.iter().map(|(key, value)| format!("{key} = {value}")).collect();
                self.edits.insert(span.start + 1..span.end - 1, format!(" {} ", written.join(", ")), depth);
            }
        }
    }

    /// Lines below the last one of the table, and like it.
    fn lines(&mut self, id: Id, table: &Table, keys: &[(String, String)]) {
        let text = self.document.text;
        let depth = table.path.len();
        if let Some(last) = &table.last {
            let (prefix, equals) = (&text[last.prefix.clone()], self.equals(last));
            let indent = indent_of(text, last.prefix.start);
            let lines = keys.iter().map(|(key, value)| format!("{indent}{prefix}{key}{equals}{value}"));
            return self.below(last.end, lines, depth);
        }
        let lines = keys.iter().map(|(key, value)| format!("{key} = {value}"));
        if id != ROOT {
            let header = &self.document.node(id).span;
            let indent = indent_of(text, header.start);
            return self.below(header.end, lines.map(|line| format!("{indent}{line}")), depth);
        }
        match self.first_header {
            // What stands after a header belongs to its table.
            Some(header) => {
                let lines: String = lines.map(|line| line + self.end).collect();
                let (at, gap) = match above_comments(text, header) {
                    // What the file begins with is about the file, such as its license.
                    0 if text[..header].contains('#') => (line_start(text, header), self.end),
                    at => (at, ""),
                };
                self.edits.insert(at..at, format!("{gap}{lines}{}", self.end), depth);
            }
            None => self.at_end(lines, depth),
        }
    }

    /// Puts lines below the one that holds this byte.
    fn below(&mut self, at: usize, lines: impl Iterator<Item = String>, depth: usize) {
        match self.document.text[at..].find('\n') {
            Some(feed) => {
                let at = at + feed + 1;
                let end = self.end;
                self.edits.insert(at..at, lines.map(|line| line + end).collect(), depth);
            }
            None => self.at_end(lines, depth),
        }
    }

    /// Puts lines at the end. A text without a final line end keeps having none.
    fn at_end(&mut self, lines: impl Iterator<Item = String>, depth: usize) {
        let text = self.document.text;
        let is_open = !text.is_empty() && !text.ends_with('\n');
        let lines =
            lines.map(|line| if is_open { format!("{}{line}", self.end) } else { format!("{line}{}", self.end) });
        let lines = lines.collect();
        self.edits.insert(text.len()..text.len(), lines, depth);
    }

    /// What stands between a new key and its value: as close as in the line above.
    fn equals(&self, like: &Entry) -> &'static str {
        if &self.document.text[like.equals.clone()] == "=" { "=" } else { " = " }
    }
}

/// Whether the value is written as a table of its own where there is room for one.
pub(crate) fn is_table(value: &Json) -> bool {
    value.as_object().is_some_and(|map| !map.is_empty())
}

/// The entries as dotted keys with their values, as they are written.
pub(crate) fn dotted(entries: &Map) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for (name, value) in entries.iter() {
        let key = value::key(name);
        match value.as_object().filter(|inner| !inner.is_empty()) {
            Some(inner) => {
                found.extend(dotted(inner)?.into_iter().map(|(rest, value)| (format!("{key}.{rest}"), value)));
            }
            None => found.push((key, value::write(value)?)),
        }
    }
    Ok(found)
}

fn written(items: &[Json]) -> Result<Vec<String>, Failure> {
    items.iter().map(value::write).collect()
}

/// The start of the comments right above a line, or of the line itself.
fn above_comments(text: &str, at: usize) -> usize {
    let mut start = line_start(text, at);
    while start > 0 {
        let above = line_start(text, start - 1);
        if !text[above..start].trim_start().starts_with('#') {
            break;
        }
        start = above;
    }
    start
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |feed| feed + 1)
}

fn starts_line(text: &str, at: usize) -> bool {
    text[line_start(text, at)..at].trim_matches([' ', '\t']).is_empty()
}

/// The blanks that the line starts with.
fn indent_of(text: &str, at: usize) -> &str {
    let line = &text[line_start(text, at)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

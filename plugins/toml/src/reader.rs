//! From the parser's events to a document.

use std::ops::Range;

use portkeeper_plugin_sdk::{Failure, text};
use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

use crate::document::{Document, Entry, Form, Id, Node, ROOT, Scalar, Table, Value};

/// How deep arrays and inline tables may be nested.
const DEEPEST: u32 = 80;

/// Reads one document.
pub(crate) struct Reader<'a> {
    source: Source<'a>,
    text: &'a str,
    nodes: Vec<Node>,
}

/// One part of a dotted key.
struct Part {
    name: String,
    span: Range<usize>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { source: Source::new(text), text, nodes: Vec::new() }
    }

    pub(crate) fn read(mut self) -> Result<Document<'a>, Failure> {
        let events = self.events()?;
        let mut rest = events.as_slice();
        let mut table = self.add(0..0, Value::Table(Table::new(Form::Header, Vec::new(), false)));
        while let Some((event, after)) = rest.split_first() {
            match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    rest = after;
                    let parts = self.key(&mut rest)?;
                    let end = rest.split_off_first().map_or(event.span().end(), |close| close.span().end());
                    let span = event.span().start()..end;
                    table = self.header(&parts, &span, event.kind() == EventKind::ArrayTableOpen)?;
                }
                EventKind::SimpleKey => self.key_value(&mut rest, table)?,
                _ => rest = after,
            }
        }
        Ok(Document { text: self.text, nodes: self.nodes })
    }

    /// The events that are more than layout.
    fn events(&self) -> Result<Vec<Event>, Failure> {
        let tokens = self.source.lex().into_vec();
        let mut events = Vec::new();
        let mut first: Option<ParseError> = None;
        let mut keep = |event: Event| {
            if !matches!(event.kind(), EventKind::Whitespace | EventKind::Comment | EventKind::Newline) {
                events.push(event);
            }
        };
        parse_document(&tokens, &mut RecursionGuard::new(&mut keep, DEEPEST), &mut first);
        match first {
            Some(error) => Err(self.explain(&error)),
            None => Ok(events),
        }
    }

    /// A `[header]`, or one table of `[[several]]`.
    fn header(&mut self, parts: &[Part], span: &Range<usize>, is_one_of_several: bool) -> Result<Id, Failure> {
        let Some((last, outer)) = parts.split_last() else { return Ok(ROOT) };
        let mut parent = ROOT;
        for part in outer {
            parent = match self.child(parent, &part.name) {
                Some(id) => self.enter(id).ok_or_else(|| self.defined_twice(part))?,
                None => self.add_table(parent, part, Form::Implied),
            };
        }
        let found = self.child(parent, &last.name);
        if is_one_of_several {
            let path = self.path_below(parent, last);
            let table = self.add(span.clone(), Value::Table(Table::new(Form::Header, path, true)));
            match found.map(|id| &mut self.nodes[id].value) {
                Some(Value::Tables(tables)) => tables.push(table),
                Some(_) => return Err(self.defined_twice(last)),
                None => {
                    let tables = self.add(span.clone(), Value::Tables(vec![table]));
                    self.enter_key(parent, last, tables);
                }
            }
            return Ok(table);
        }
        let id = match found {
            None => self.add_table(parent, last, Form::Header),
            Some(id) => match &mut self.nodes[id].value {
                Value::Table(table) if table.form == Form::Implied => {
                    table.form = Form::Header;
                    id
                }
                _ => return Err(self.defined_twice(last)),
            },
        };
        self.nodes[id].span = span.clone();
        Ok(id)
    }

    /// `a.b = value` in a table.
    fn key_value(&mut self, rest: &mut &[Event], table: Id) -> Result<(), Failure> {
        let parts = self.key(rest)?;
        let Some((last, outer)) = parts.split_last() else { return Ok(()) };
        let body = self.form(table);
        let form = if body == Form::Inline { Form::Inline } else { Form::Dotted };
        let start = parts[0].span.start;
        let mut tables = vec![(table, start)];
        let mut parent = table;
        for (part, next) in outer.iter().zip(&parts[1..]) {
            parent = match self.child(parent, &part.name) {
                // A dotted key adds to the tables of other dotted keys, and to no others.
                Some(id) if self.form(id) == form => id,
                Some(_) => return Err(self.defined_twice(part)),
                None => self.add_table(parent, part, form),
            };
            tables.push((parent, next.span.start));
        }
        if self.child(parent, &last.name).is_some() {
            return Err(self.defined_twice(last));
        }
        // The equals sign.
        let _ = rest.split_off_first();
        let path = self.path_below(parent, last);
        let value = self.value(rest, path, self.is_one_of_several(parent))?;
        self.enter_key(parent, last, value);
        let value = self.nodes[value].span.clone();
        for (id, name) in tables {
            if let Value::Table(table) = &mut self.nodes[id].value {
                let equals = last.span.end..value.start;
                table.last = Some(Entry { prefix: start..name, equals, end: value.end });
            }
        }
        Ok(())
    }

    fn value(&mut self, rest: &mut &[Event], path: Vec<String>, several: bool) -> Result<Id, Failure> {
        let Some(event) = rest.split_off_first() else { return Err(self.wrong("a value is missing", self.text.len())) };
        let (start, mut end) = (event.span().start(), event.span().end());
        let value = match event.kind() {
            EventKind::ArrayOpen => {
                let mut items = Vec::new();
                loop {
                    match rest.first().map(Event::kind) {
                        Some(EventKind::ArrayClose) | None => break,
                        Some(EventKind::ValueSep) => *rest = &rest[1..],
                        Some(_) => items.push(self.value(rest, Vec::new(), true)?),
                    }
                }
                end = rest.split_off_first().map_or(end, |close| close.span().end());
                Value::Array(items)
            }
            EventKind::InlineTableOpen => {
                let id = self.add(start..end, Value::Table(Table::new(Form::Inline, path, several)));
                loop {
                    match rest.first().map(Event::kind) {
                        Some(EventKind::InlineTableClose) | None => break,
                        Some(EventKind::SimpleKey) => self.key_value(rest, id)?,
                        Some(_) => *rest = &rest[1..],
                    }
                }
                end = rest.split_off_first().map_or(end, |close| close.span().end());
                self.nodes[id].span.end = end;
                return Ok(id);
            }
            _ => Value::Scalar(self.scalar(event)?),
        };
        Ok(self.add(start..end, value))
    }

    fn scalar(&self, event: &Event) -> Result<Scalar, Failure> {
        let (mut text, mut error) = (String::new(), None);
        let raw = self.source.get(event);
        let kind = raw.map_or(ScalarKind::String, |raw| raw.decode_scalar(&mut text, &mut error));
        match error {
            Some(error) => Err(self.explain(&error)),
            None => Ok(Scalar { kind, quotes: event.encoding(), text }),
        }
    }

    /// The parts of a key.
    fn key(&self, rest: &mut &[Event]) -> Result<Vec<Part>, Failure> {
        let mut parts = Vec::new();
        while let Some((event, after)) = rest.split_first() {
            match event.kind() {
                EventKind::SimpleKey => {
                    let (mut name, mut error) = (String::new(), None);
                    if let Some(raw) = self.source.get(event) {
                        raw.decode_key(&mut name, &mut error);
                    }
                    if let Some(error) = error {
                        return Err(self.explain(&error));
                    }
                    parts.push(Part { name, span: event.span().start()..event.span().end() });
                }
                EventKind::KeySep => {}
                _ => break,
            }
            *rest = after;
        }
        Ok(parts)
    }

    fn add(&mut self, span: Range<usize>, value: Value) -> Id {
        self.nodes.push(Node { span, value });
        self.nodes.len() - 1
    }

    fn add_table(&mut self, parent: Id, part: &Part, form: Form) -> Id {
        let path = self.path_below(parent, part);
        let table = Table::new(form, path, self.is_one_of_several(parent));
        let id = self.add(part.span.clone(), Value::Table(table));
        self.enter_key(parent, part, id);
        id
    }

    fn enter_key(&mut self, parent: Id, part: &Part, id: Id) {
        if let Value::Table(table) = &mut self.nodes[parent].value {
            table.add(part.name.clone(), id);
        }
    }

    fn path_below(&self, parent: Id, part: &Part) -> Vec<String> {
        let mut path = self.table(parent).map(|table| table.path.clone()).unwrap_or_default();
        path.push(part.name.clone());
        path
    }

    fn table(&self, id: Id) -> Option<&Table> {
        match &self.nodes[id].value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    fn is_one_of_several(&self, id: Id) -> bool {
        self.table(id).is_some_and(|table| table.is_one_of_several)
    }

    fn form(&self, id: Id) -> Form {
        self.table(id).map_or(Form::Implied, |table| table.form)
    }

    fn child(&self, id: Id, key: &str) -> Option<Id> {
        self.table(id)?.child(key)
    }

    /// The table that a header's key leads into: of several the last one. What stands in braces is complete.
    fn enter(&self, id: Id) -> Option<Id> {
        match &self.nodes[id].value {
            Value::Table(table) => (table.form != Form::Inline).then_some(id),
            Value::Tables(tables) => tables.last().copied(),
            _ => None,
        }
    }

    fn defined_twice(&self, part: &Part) -> Failure {
        self.wrong(&format!("`{}` is defined a second time", part.name), part.span.start)
    }

    fn explain(&self, error: &ParseError) -> Failure {
        let at = error.unexpected().or(error.context()).map_or(0, |span| span.start());
        self.wrong(error.description(), at)
    }

    fn wrong(&self, what: &str, at: usize) -> Failure {
        Failure::bad_target(format!("this is no TOML: {what}"))
            .line(text::line_of(self.text, at))
            .help("Mend the file first; nothing in it was changed.")
    }
}

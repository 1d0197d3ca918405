//! A TOML document as nodes that know where they stand, and where each table can grow.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::leaf::{Shape, Spans, Tree};
use portkeeper_plugin_sdk::{Failure, text};
use toml_parser::decoder::{Encoding, ScalarKind};

use crate::reader::Reader;
use crate::value;

/// A node's place in the list.
pub(crate) type Id = usize;

/// The root is the first node.
pub(crate) const ROOT: Id = 0;

/// One document.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) text: &'a str,
    pub(crate) nodes: Vec<Node>,
}

#[derive(Debug)]
pub(crate) struct Node {
    /// Where the value stands; of a table its header, or the first key that names it.
    pub(crate) span: Range<usize>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Array(Vec<Id>),
    Table(Table),
    /// The tables of `[[...]]`, in the order of the text.
    Tables(Vec<Id>),
}

/// Text, number, truth value or time.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) kind: ScalarKind,
    /// The kind of its quotes.
    pub(crate) quotes: Option<Encoding>,
    /// Without quotes and escapes; of a number the sign and digits.
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) form: Form,
    /// The keys that lead here from the root.
    pub(crate) path: Vec<String>,
    /// Whether it is, or lies in, one of the tables of `[[...]]`: the path alone does not say in which.
    pub(crate) is_one_of_several: bool,
    pub(crate) entries: Vec<(String, Id)>,
    /// The same by key: a file of thousands of keys is asked for thousands.
    index: HashMap<String, Id>,
    /// The last `key = value` that stands in it, written out or as part of a dotted key.
    pub(crate) last: Option<Entry>,
}

/// How a table came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The root, or a table with a `[header]`.
    Header,
    /// Named by the header of a table in it, but without one of its own.
    Implied,
    /// By a dotted key in a table of lines.
    Dotted,
    /// `{ ... }`, or by a dotted key in one.
    Inline,
}

/// A `key = value`.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The part of its key that leads to the table: `server.` for the table `server` in `server.port = 1`.
    pub(crate) prefix: Range<usize>,
    /// What stands between the key and the value.
    pub(crate) equals: Range<usize>,
    /// Where the value ends.
    pub(crate) end: usize,
}

impl<'a> Document<'a> {
    /// Reads a text.
    ///
    /// # Errors
    /// `bad-target` with the line of what is no TOML.
    pub(crate) fn read(text: &'a str) -> Result<Self, Failure> {
        Reader::new(text).read()
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The node as a table with keys.
    pub(crate) fn table(&self, id: Id) -> Option<&Table> {
        match &self.node(id).value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }
}

impl Tree for Document<'_> {
    type Node = Id;

    const MAP: &'static str = "a table";
    const LIST: &'static str = "an array";

    fn id(&self, node: Id) -> usize {
        node
    }

    fn shape(&self, node: Id) -> Shape {
        match &self.node(node).value {
            Value::Table(_) => Shape::Map,
            Value::Array(_) | Value::Tables(_) => Shape::List,
            Value::Scalar(scalar) => match scalar.kind {
                ScalarKind::Boolean(_) => Shape::Bool,
                ScalarKind::Integer(_) | ScalarKind::Float => Shape::Number,
                _ => Shape::Text,
            },
        }
    }

    fn in_words(&self, node: Id) -> &'static str {
        match self.node(node).value {
            Value::Scalar(_) => "a single value",
            Value::Array(_) => Self::LIST,
            Value::Table(_) => Self::MAP,
            Value::Tables(_) => "an array of tables",
        }
    }

    fn line(&self, node: Id) -> usize {
        text::line_of(self.text, self.node(node).span.start)
    }

    fn child(&self, node: Id, key: &str) -> Option<Id> {
        self.table(node)?.child(key)
    }

    fn items(&self, node: Id) -> Cow<'_, [Id]> {
        match &self.node(node).value {
            Value::Array(items) | Value::Tables(items) => Cow::Borrowed(items),
            _ => Cow::Borrowed(&[]),
        }
    }

    fn text(&self, node: Id) -> Option<Cow<'_, str>> {
        match &self.node(node).value {
            Value::Scalar(scalar) => Some(Cow::Borrowed(&scalar.text)),
            _ => None,
        }
    }

    fn says(&self, node: Id, value: &Json) -> bool {
        matches!(&self.node(node).value, Value::Scalar(scalar) if value::says(scalar, value))
    }
}

impl Spans for Document<'_> {
    fn whole(&self) -> &str {
        self.text
    }

    fn span(&self, node: Id) -> Range<usize> {
        self.node(node).span.clone()
    }

    fn entries(&self, node: Id) -> impl Iterator<Item = (Cow<'_, str>, Id)> {
        let entries = self.table(node).map(|table| table.entries.as_slice()).unwrap_or_default();
        entries.iter().map(|(key, id)| (Cow::Borrowed(key.as_str()), *id))
    }
}

impl Table {
    pub(crate) fn new(form: Form, path: Vec<String>, is_one_of_several: bool) -> Self {
        Self { form, path, is_one_of_several, entries: Vec::new(), index: HashMap::new(), last: None }
    }

    pub(crate) fn child(&self, key: &str) -> Option<Id> {
        self.index.get(key).copied()
    }

    pub(crate) fn add(&mut self, key: String, id: Id) {
        self.index.insert(key.clone(), id);
        self.entries.push((key, id));
    }
}

//! A TOML document as nodes that know where they stand, and where each table can grow.

use std::collections::HashMap;
use std::ops::Range;

use portkeeper_plugin_sdk::Failure;
use toml_parser::decoder::{Encoding, ScalarKind};

use crate::reader::Reader;

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

    /// The node as a table with keys. A table of `[[...]]` is none of these: there are several, and nobody can tell which one is meant.
    pub(crate) fn table(&self, id: Id) -> Option<&Table> {
        match &self.node(id).value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The value of a key.
    pub(crate) fn child(&self, id: Id, key: &str) -> Option<Id> {
        self.table(id)?.child(key)
    }
}

impl Table {
    pub(crate) fn new(form: Form, path: Vec<String>) -> Self {
        Self { form, path, entries: Vec::new(), index: HashMap::new(), last: None }
    }

    pub(crate) fn child(&self, key: &str) -> Option<Id> {
        self.index.get(key).copied()
    }

    pub(crate) fn add(&mut self, key: String, id: Id) {
        self.index.insert(key.clone(), id);
        self.entries.push((key, id));
    }
}

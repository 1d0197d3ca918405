//! A YAML document as nodes that know where they stand. Needs the feature `yaml`.
//!
//! The nodes lie in one list and refer to each other by number, and an alias stays an alias: a file of anchors upon anchors takes no more room
//! than its text does.
//!
//! The parser is granit-parser, a continuation of saphyr-parser. What was compared (2026-11, 2,000 lines, native): saphyr-parser 0.3.4 reads them in
//! 3.7 ms, but not brackets or quotes that close at the key's column, as Prettier writes them, nor a tab after a colon; granit-parser 2.2
//! takes 6.4 ms, reads all of these, and counts bytes. yaml-edit 0.3.6 keeps a tree of all tokens in 12.6 ms, and brings its own ways to
//! change it; what an edit must not change is checked here either way, so spans are enough.
//!
//! ```
//! use portkeeper_plugin_sdk::yaml::Yaml;
//!
//! let text = "web:\n  port: 8080  # mine\n";
//! let yaml = Yaml::parse(text).unwrap();
//! let web = yaml.get(yaml.root().unwrap(), "web").unwrap();
//! let port = yaml.get(web, "port").unwrap();
//! assert_eq!(yaml.text(port), Some("8080"));
//! assert_eq!(&text[yaml.node(port).span.clone()], "8080");
//! assert_eq!((yaml.node(port).line, yaml.node(port).column), (2, 8));
//! ```

mod outline;
mod reader;

use std::ops::Range;

/// How deep a file may be nested, and how many aliases may stand for each other. Nobody's files have more than ten levels.
const DEEPEST: usize = 100;

/// A node's place in the list.
pub type Id = usize;

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlError {
    /// A few words for people.
    pub message: String,
    /// Counted from 1.
    pub line: usize,
}

/// One document, or several.
#[derive(Debug, Default)]
pub struct Yaml {
    nodes: Vec<Node>,
    /// The parser's number of each anchor and the node that has it, in the order of the text, in which the numbers rise.
    anchors: Vec<(usize, Id)>,
    root: Option<Id>,
    /// The root, when it is the list of several documents.
    documents: Option<Id>,
}

/// A part of a document.
#[derive(Debug)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// Its tag, such as `!override`.
    pub tag: Option<String>,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 0.
    pub column: usize,
    /// The bytes that it takes in the text, without its anchor and tag, and with the quotes. Of a block of text (`|`) only the lines; of a
    /// collection only where it starts.
    pub span: Range<usize>,
    /// The parser's number of its anchor; 0 when it has none.
    pub anchor: usize,
    /// Whether it is written between brackets or braces: `{a: 1}`.
    pub in_flow: bool,
}

/// What a node is.
#[derive(Debug)]
pub enum Value {
    /// A scalar, without quotes and escapes.
    Text {
        /// What it says.
        text: String,
        /// How it says so.
        style: Style,
    },
    /// A sequence.
    List(Vec<Id>),
    /// A mapping: keys and values as they are written, merge keys among them.
    Map(Vec<(Id, Id)>),
    /// `*name`, by the number of the anchor.
    Alias(usize),
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: it may mean a number, a truth value or nothing.
    Plain,
    /// `'...'`
    Single,
    /// `"..."`
    Double,
    /// `|` or `>`, and lines below.
    Block,
}

impl Yaml {
    /// Reads the only document of a text without a byte order mark.
    ///
    /// # Errors
    /// [`YamlError`] with the line of what is no YAML, is nested too deeply, or belongs to a second document.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        reader::read(text, false)
    }

    /// Reads a text that may have several documents: the root is a list of those that have something in them, if there are two or more.
    ///
    /// # Errors
    /// [`YamlError`] as for [`parse`](Self::parse), but for a second document.
    pub fn parse_documents(text: &str) -> Result<Self, YamlError> {
        reader::read(text, true)
    }

    /// Whether the node is the list of the text's documents.
    #[must_use]
    pub fn is_documents(&self, id: Id) -> bool {
        self.documents == Some(id)
    }

    /// The document's value; none when there is nothing in it.
    #[must_use]
    pub fn root(&self) -> Option<Id> {
        self.root
    }

    /// How many nodes there are: the numbers below are those of nodes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "it is no collection")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The node itself.
    #[must_use]
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The node that an alias stands for, through further aliases.
    #[must_use]
    pub fn resolve(&self, mut id: Id) -> Id {
        for _ in 0..DEEPEST {
            match self.nodes[id].value {
                Value::Alias(anchor) => match self.anchors.binary_search_by_key(&anchor, |&(anchor, _)| anchor) {
                    Ok(at) => id = self.anchors[at].1,
                    Err(_) => return id,
                },
                _ => return id,
            }
        }
        id
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[self.resolve(id)].value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the node is an empty value, as in `web:` with nothing behind it.
    #[must_use]
    pub fn is_null(&self, id: Id) -> bool {
        matches!(&self.nodes[id].value, Value::Text { text, style: Style::Plain } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The entries of a mapping as they are written; nothing for another node.
    #[must_use]
    pub fn entries(&self, id: Id) -> &[(Id, Id)] {
        match &self.nodes[self.resolve(id)].value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for another node.
    #[must_use]
    pub fn items(&self, id: Id) -> Option<&[Id]> {
        match &self.nodes[self.resolve(id)].value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The key and the value of an entry as it is written.
    #[must_use]
    pub fn entry(&self, map: Id, key: &str) -> Option<(Id, Id)> {
        self.entries(map).iter().copied().rfind(|&(name, _)| self.text(name) == Some(key))
    }

    /// The value of a key, also from the mappings that `<<` merges in (<https://yaml.org/type/merge.html>).
    #[must_use]
    pub fn get(&self, map: Id, key: &str) -> Option<Id> {
        let mut open = vec![map];
        let mut seen = Vec::new();
        while let Some(map) = open.pop().map(|id| self.resolve(id)) {
            if seen.contains(&map) || seen.len() > DEEPEST {
                continue;
            }
            seen.push(map);
            if let Some((_, value)) = self.entry(map, key) {
                return Some(value);
            }
            if let Some((_, merged)) = self.entry(map, "<<") {
                let several = self.items(merged).map(<[Id]>::to_vec);
                open.extend(several.unwrap_or_else(|| vec![merged]).into_iter().rev().take(DEEPEST));
            }
        }
        None
    }

    /// Whether an alias stands for the node.
    #[must_use]
    pub fn is_aliased(&self, id: Id) -> bool {
        let anchor = self.nodes[id].anchor;
        anchor != 0 && self.nodes.iter().any(|node| matches!(node.value, Value::Alias(other) if other == anchor))
    }
}

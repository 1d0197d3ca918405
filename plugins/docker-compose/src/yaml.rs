//! A YAML document as nodes that know where they stand.
//!
//! The nodes lie in one list and refer to each other by number, and an alias stays an alias: a file of anchors upon anchors takes no more room
//! than its text does.

use std::fmt::Write;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

/// How deep a file may be nested. Compose files have less than ten levels.
const DEEPEST: usize = 100;

/// A node's place in the list.
pub(crate) type Id = usize;

/// What is wrong with a text.
#[derive(Debug)]
pub(crate) struct YamlError {
    pub(crate) message: String,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// One document.
#[derive(Debug, Default)]
pub(crate) struct Yaml {
    nodes: Vec<Node>,
    /// The parser's number of each anchor and the node that has it, in the order of the text, in which the numbers rise.
    anchors: Vec<(usize, Id)>,
    root: Option<Id>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) tag: Option<String>,
    /// Counted from 1.
    pub(crate) line: usize,
    /// In characters, counted from 0.
    pub(crate) column: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    Text { text: String, plain: bool },
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
    Alias(usize),
}

impl Yaml {
    /// Reads the only document of a text.
    pub(crate) fn parse(text: &str) -> Result<Self, YamlError> {
        let mut yaml = Self::default();
        // The collections that are open, and the key that waits for its value.
        let mut open: Vec<(Id, Option<Id>)> = Vec::new();
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|error| YamlError { message: error.info().to_owned(), line: error.marker().line() })?;
            let line = span.start.line();
            let (value, anchor, tag) = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    (Value::Text { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor, tag)
                }
                Event::SequenceStart(anchor, tag) => (Value::List(Vec::new()), anchor, tag),
                Event::MappingStart(anchor, tag) => (Value::Map(Vec::new()), anchor, tag),
                Event::Alias(anchor) => (Value::Alias(anchor), 0, None),
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    continue;
                }
                Event::DocumentStart(_) if yaml.root.is_some() => {
                    return Err(YamlError { message: "a second document starts here".to_owned(), line });
                }
                _ => continue,
            };
            let id = yaml.nodes.len();
            let is_open = matches!(value, Value::List(_) | Value::Map(_));
            let tag = tag.map(|tag| tag_text(&tag));
            yaml.nodes.push(Node { value, tag, line, column: span.start.col() });
            if anchor != 0 {
                yaml.anchors.push((anchor, id));
            }
            match open.last_mut() {
                Some((parent, key)) => yaml.attach(id, *parent, key),
                None => yaml.root = Some(id),
            }
            if is_open {
                open.push((id, None));
            }
            if open.len() > DEEPEST {
                return Err(YamlError { message: format!("it is nested deeper than {DEEPEST} levels"), line });
            }
        }
        Ok(yaml)
    }

    /// Puts a node into the collection that is open. In a mapping every second node is a key.
    fn attach(&mut self, id: Id, parent: Id, key: &mut Option<Id>) {
        match &mut self.nodes[parent].value {
            Value::List(items) => items.push(id),
            Value::Map(items) => match key.take() {
                Some(key) => items.push((key, id)),
                None => *key = Some(id),
            },
            _ => {}
        }
    }

    pub(crate) fn root(&self) -> Option<Id> {
        self.root
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    /// The node that an alias stands for, through further aliases.
    pub(crate) fn resolve(&self, mut id: Id) -> Id {
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
    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[self.resolve(id)].value {
            Value::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the node is an empty value, as in `web:` with nothing behind it.
    pub(crate) fn is_null(&self, id: Id) -> bool {
        matches!(&self.nodes[id].value, Value::Text { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }

    /// The entries of a mapping as they are written; nothing for another node.
    pub(crate) fn entries(&self, id: Id) -> &[(Id, Id)] {
        match &self.nodes[self.resolve(id)].value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for another node.
    pub(crate) fn items(&self, id: Id) -> Option<&[Id]> {
        match &self.nodes[self.resolve(id)].value {
            Value::List(items) => Some(items),
            _ => None,
        }
    }

    /// The key and the value of an entry as it is written.
    pub(crate) fn entry(&self, map: Id, key: &str) -> Option<(Id, Id)> {
        self.entries(map).iter().copied().rfind(|&(name, _)| self.text(name) == Some(key))
    }

    /// The value of a key, also from the mappings that `<<` merges in (<https://yaml.org/type/merge.html>).
    pub(crate) fn get(&self, map: Id, key: &str) -> Option<Id> {
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

    /// The document as text without its layout, to tell whether two say the same. `hidden` picks entries to leave out, by the
    /// keys that lead to them. An empty document says the same as an empty mapping.
    pub(crate) fn outline(&self, hidden: &dyn Fn(&Self, &[&str], Id) -> bool) -> String {
        let mut text = String::new();
        match self.root.filter(|&root| !self.is_null(root)) {
            Some(root) => self.write_outline(root, &mut Vec::new(), hidden, &mut text),
            None => text.push_str("0: {}"),
        }
        text
    }

    fn write_outline<'a>(
        &'a self,
        id: Id,
        path: &mut Vec<&'a str>,
        hidden: &dyn Fn(&Self, &[&str], Id) -> bool,
        text: &mut String,
    ) {
        let node = &self.nodes[id];
        // A text's length says where it ends, whatever is in it. Writing to a string can't fail.
        let tag = node.tag.as_deref().unwrap_or_default();
        let _ = write!(text, "{}:{tag} ", tag.len());
        match &node.value {
            Value::Text { text: scalar, plain } => {
                let _ = write!(text, "{}:{scalar}{plain} ", scalar.len());
            }
            Value::Alias(anchor) => {
                let _ = write!(text, "*{anchor} ");
            }
            Value::List(items) => {
                text.push('[');
                path.push("[]");
                items.iter().for_each(|&item| self.write_outline(item, path, hidden, text));
                path.pop();
                text.push(']');
            }
            Value::Map(entries) => {
                text.push('{');
                for &(key, value) in entries {
                    path.push(self.text(key).unwrap_or_default());
                    if !hidden(self, path, value) {
                        self.write_outline(key, &mut Vec::new(), hidden, text);
                        self.write_outline(value, path, hidden, text);
                    }
                    path.pop();
                }
                text.push('}');
            }
        }
    }
}

fn tag_text(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

//! A document as the shared planning of changes sees it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::leaf::{Shape, Tree};
use portkeeper_plugin_sdk::yaml::{Id, Style, Value, Yaml};

use crate::layout::Place;
use crate::scalar::{self, Kind};

/// From how many entries on a mapping is worth an index.
const MANY: usize = 16;

/// The entries of a mapping by their keys.
type Index<'a> = BTreeMap<&'a str, Place>;

/// A document that is asked for many keys.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    yaml: &'a Yaml,
    /// One for each node; of a mapping that was asked for a key it has something in it.
    indices: RefCell<Vec<Index<'a>>>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(yaml: &'a Yaml) -> Self {
        Self { yaml, indices: RefCell::new(vec![Index::new(); yaml.len()]) }
    }

    fn indexed(&self, map: Id, entries: &'a [(Id, Id)], key: &str) -> Option<Place> {
        let index = &mut self.indices.borrow_mut()[map];
        if index.is_empty() {
            let named = |&(key, value): &(Id, Id)| Some((self.yaml.text(key)?, Place { key: Some(key), value }));
            index.extend(entries.iter().filter_map(named));
        }
        index.get(key).copied()
    }
}

impl Tree for Document<'_> {
    type Node = Place;

    const MAP: &'static str = "a mapping";

    const HAS_DOCUMENTS: bool = true;

    fn id(&self, place: Place) -> usize {
        place.value
    }

    fn shape(&self, place: Place) -> Shape {
        let node = self.yaml.node(place.value);
        match &node.value {
            Value::Map(_) => Shape::Map,
            Value::List(_) if self.yaml.is_documents(place.value) => Shape::Documents,
            Value::List(_) => Shape::List,
            Value::Text { text, style } if node.tag.is_none() => match Kind::of(text, *style) {
                Kind::Null => Shape::Null,
                Kind::Bool => Shape::Bool,
                Kind::Number => Shape::Number,
                Kind::Text => Shape::Text,
            },
            Value::Text { .. } | Value::Alias(_) => Shape::Text,
        }
    }

    fn in_words(&self, place: Place) -> &'static str {
        let node = self.yaml.node(place.value);
        match &node.value {
            _ if self.yaml.is_documents(place.value) => "several documents",
            _ if node.tag.is_some() => "a value with a tag",
            Value::Text { style: Style::Block, .. } => "a block of text",
            Value::Text { .. } => "a single value",
            Value::List(_) => Self::LIST,
            Value::Map(_) => Self::MAP,
            Value::Alias(_) => "an alias",
        }
    }

    fn line(&self, place: Place) -> usize {
        self.yaml.node(place.value).line
    }

    fn child(&self, place: Place, key: &str) -> Option<Place> {
        // Not through aliases: what they stand for is also somewhere else.
        let Value::Map(entries) = &self.yaml.node(place.value).value else { return None };
        if entries.len() >= MANY {
            return self.indexed(place.value, entries, key);
        }
        let entry = entries.iter().rfind(|&&(name, _)| self.yaml.text(name) == Some(key));
        entry.map(|&(key, value)| Place { key: Some(key), value })
    }

    fn items(&self, place: Place) -> Cow<'_, [Place]> {
        let Value::List(items) = &self.yaml.node(place.value).value else { return Cow::Borrowed(&[]) };
        items.iter().map(|&value| Place { key: None, value }).collect()
    }

    fn item(&self, place: Place, index: usize) -> Option<Place> {
        let Value::List(items) = &self.yaml.node(place.value).value else { return None };
        items.get(index).map(|&value| Place { key: None, value })
    }

    fn text(&self, place: Place) -> Option<Cow<'_, str>> {
        self.yaml.text(place.value).map(Cow::Borrowed)
    }

    fn says(&self, place: Place, value: &Json) -> bool {
        scalar::says(self.yaml, place.value, value)
    }
}

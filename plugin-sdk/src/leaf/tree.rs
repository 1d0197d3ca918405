//! Documents as paths see them, and the way of a path into one.

use std::borrow::Cow;

use super::path::{Field, Part, Selector, is_index};
use super::{Leaf, literal, texts};
use crate::Failure;
use crate::json::Value;

/// How many values of a field a message names.
const MANY: usize = 8;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Keys and values.
    Map,
    /// Items.
    List,
    /// Several documents in one file, which are its items.
    Documents,
    /// Nothing: it can become anything.
    Null,
    /// A truth value.
    Bool,
    /// A number.
    Number,
    /// Any other single value.
    Text,
}

/// A document, in the terms of its format.
pub trait Tree {
    /// A node of the document.
    type Node: Copy;

    /// What the format calls a map, such as `an object`.
    const MAP: &'static str;

    /// What the format calls a list, such as `an array`.
    const LIST: &'static str = "a list";

    /// Whether a file may have several documents. A path may then begin with a selector even where there is only one.
    const HAS_DOCUMENTS: bool = false;

    /// A number that no other node has.
    fn id(&self, node: Self::Node) -> usize;

    /// What the node is.
    fn shape(&self, node: Self::Node) -> Shape;

    /// What the node is, in words for messages.
    fn in_words(&self, node: Self::Node) -> &'static str {
        match self.shape(node) {
            Shape::Map => Self::MAP,
            Shape::List => Self::LIST,
            Shape::Documents => "several documents",
            Shape::Null | Shape::Bool | Shape::Number | Shape::Text => "a single value",
        }
    }

    /// The line that the node stands in, counted from 1.
    fn line(&self, node: Self::Node) -> usize;

    /// The value of a key; none where there is no such key, or the node is no map.
    fn child(&self, node: Self::Node, key: &str) -> Option<Self::Node>;

    /// The items of a list; nothing for another node.
    fn items(&self, node: Self::Node) -> Cow<'_, [Self::Node]>;

    /// The item of a list with this index, counted from 0.
    fn item(&self, node: Self::Node, index: usize) -> Option<Self::Node> {
        self.items(node).get(index).copied()
    }

    /// What a single value says, without quotes.
    fn text(&self, node: Self::Node) -> Option<Cow<'_, str>>;

    /// Whether a node that is neither map nor list says what the value says.
    fn says(&self, node: Self::Node, value: &Value) -> bool;
}

/// How far a path exists in a document.
#[derive(Debug)]
pub(super) struct Way<N> {
    /// The root, and the nodes that the path leads through.
    pub(super) nodes: Vec<N>,
    /// The parts that lead to the last of them.
    pub(super) found: Vec<String>,
    /// The keys below it that are not there.
    pub(super) missing: Vec<String>,
}

impl<N: Copy> Way<N> {
    pub(super) fn end(&self) -> N {
        self.nodes[self.nodes.len() - 1]
    }

    /// The node's own key; empty for the root. An index alone would say little.
    pub(super) fn key(&self) -> String {
        match self.found.last() {
            Some(last) if is_index(last) => self.found.join("."),
            last => last.cloned().unwrap_or_default(),
        }
    }
}

/// Follows a path into a document.
pub(super) struct Walker<'a, T: Tree> {
    pub(super) tree: &'a T,
    pub(super) root: T::Node,
    pub(super) leaf: &'a Leaf<'a>,
}

impl<T: Tree> Walker<'_, T> {
    /// Goes as far as the path exists.
    pub(super) fn walk(&self) -> Result<Way<T::Node>, Failure> {
        let mut way = Way { nodes: vec![self.root], found: Vec::new(), missing: Vec::new() };
        for (index, parts) in self.leaf.keys.iter().enumerate() {
            let literal = literal(parts);
            if let Some(node) = self.tree.child(way.end(), &literal).filter(|_| parts.len() > 1) {
                way.nodes.push(node);
                way.found.push(literal);
                continue;
            }
            for (at, part) in parts.iter().enumerate() {
                let Some(node) = self.step(way.end(), part)? else {
                    self.refuse_new_items(way.end(), index, at)?;
                    way.missing = texts(&parts[at..])
                        .chain(self.leaf.keys[index + 1..].iter().flat_map(|parts| texts(parts)))
                        .collect();
                    return Ok(way);
                };
                way.nodes.push(node);
                way.found.push(part.text.clone());
            }
        }
        Ok(way)
    }

    /// What one part leads to.
    fn step(&self, node: T::Node, part: &Part) -> Result<Option<T::Node>, Failure> {
        let child = self.tree.child(node, &part.text);
        if part.selectors.is_empty() {
            let is_item = matches!(self.tree.shape(node), Shape::List | Shape::Documents) && is_index(&part.text);
            return if is_item { self.by_index(node, &part.text).map(Some) } else { Ok(child) };
        }
        let list = if part.key.is_empty() { Some(node) } else { self.tree.child(node, &part.key) };
        match (child, list) {
            (Some(child), Some(list)) if self.tree.shape(list) == Shape::List => Err(self.two_meanings(child, part)),
            (Some(child), _) => Ok(Some(child)),
            (None, None) => Ok(None),
            (None, Some(list)) => {
                part.selectors.iter().try_fold(list, |list, selector| self.select(list, selector)).map(Some)
            }
        }
    }

    fn select(&self, list: T::Node, selector: &Selector) -> Result<T::Node, Failure> {
        let items = match (self.tree.shape(list), selector) {
            (Shape::List | Shape::Documents, Selector::Index(index)) => return self.by_index(list, index),
            (Shape::List | Shape::Documents, Selector::Fields(_)) => self.tree.items(list),
            _ if T::HAS_DOCUMENTS && self.tree.id(list) == self.tree.id(self.root) => Cow::Owned(vec![list]),
            _ => return Err(self.no_list(list)),
        };
        match selector {
            // The only document.
            Selector::Index(index) if index == "0" => Ok(list),
            Selector::Index(index) => Err(self.no_item(list, index, 1)),
            Selector::Fields(fields) => self.matching(&items, list, fields),
        }
    }

    fn by_index(&self, list: T::Node, index: &str) -> Result<T::Node, Failure> {
        let found = index.parse().ok().and_then(|index| self.tree.item(list, index));
        found.ok_or_else(|| self.no_item(list, index, self.tree.items(list).len()))
    }

    fn no_item(&self, list: T::Node, index: &str, count: usize) -> Failure {
        let (name, noun) = (self.leaf.name(), self.noun(list));
        let plural = if count == 1 { "" } else { "s" };
        Failure::bad_target(format!(
            "the map's `{name}` means {noun} {index}, and there is no such {noun} among {count} {noun}{plural}"
        ))
        .line(self.tree.line(list))
        .help("The first has the index 0. To make a list longer, give the map the whole list.")
    }

    /// The only item that says what the fields say.
    fn matching(&self, items: &[T::Node], list: T::Node, fields: &[Field]) -> Result<T::Node, Failure> {
        let is_meant =
            |item: &T::Node| fields.iter().all(|field| self.field(*item, field).as_deref() == Some(&field.value));
        let meant: Vec<_> = items.iter().copied().filter(is_meant).collect();
        let (name, noun, fields_in_words) = (self.leaf.name(), self.noun(list), in_words(fields));
        match meant[..] {
            [item] => Ok(item),
            [] => Err(Failure::bad_target(format!(
                "the map's `{name}` means the {noun} with {fields_in_words}, and there is none"
            ))
            .line(self.tree.line(list))
            .help(self.what_there_is(items, &fields[0], noun))),
            [_, second, ..] => {
                let lines: Vec<_> = meant.iter().map(|&item| self.tree.line(item).to_string()).collect();
                let (count, lines) = (meant.len(), lines.join(", "));
                let message =
                    format!("the map's `{name}` means one {noun}, and {count} have {fields_in_words} (lines {lines})");
                Err(Failure::bad_target(message)
                    .line(self.tree.line(second))
                    .help("Add a field that tells them apart, `[kind=Service,name=web]`, or use an index."))
            }
        }
    }

    /// What a field of an item says.
    fn field(&self, item: T::Node, field: &Field) -> Option<Cow<'_, str>> {
        let below = |node, key: &String| {
            let items = self.tree.items(node);
            let child = || items.get(key.parse::<usize>().ok()?).copied();
            self.tree.child(node, key).or_else(child)
        };
        self.tree.text(field.path.iter().try_fold(item, below)?)
    }

    /// The values of a field to choose from.
    fn what_there_is(&self, items: &[T::Node], field: &Field, noun: &str) -> String {
        let mut found: Vec<_> =
            items.iter().filter_map(|&item| self.field(item, field)).map(|text| format!("`{text}`")).collect();
        let name = field.path.join(".");
        if found.is_empty() {
            return format!("No {noun} has a field `{name}`.");
        }
        if found.len() > MANY {
            found.truncate(MANY);
            found.push("...".to_owned());
        }
        format!("There is `{name}` as {}.", found.join(", "))
    }

    fn no_list(&self, node: T::Node) -> Failure {
        let (name, found) = (self.leaf.name(), self.tree.in_words(node));
        Failure::bad_target(format!("the map's `{name}` selects from a list, and there is {found} here"))
            .line(self.tree.line(node))
            .help("Write `\\[` for a bracket that is part of a key.")
    }

    fn two_meanings(&self, child: T::Node, part: &Part) -> Failure {
        let (name, text, key) = (self.leaf.name(), &part.text, &part.key);
        Failure::bad_target(format!(
            "the map's `{name}` can mean the key `{text}` or an item of the list `{key}`: there are both"
        ))
        .line(self.tree.line(child))
        .help("Write `\\[` for a bracket that is part of a key, and `.0` for an index.")
    }

    /// Refuses to make a list that a path only shows a part of. `node` is the last one that is there, and the part `at` of the map's
    /// key `index` the first one that is not.
    fn refuse_new_items(&self, node: T::Node, index: usize, at: usize) -> Result<(), Failure> {
        let is_map = self.tree.shape(node) == Shape::Map;
        let keys = self.leaf.keys.iter().enumerate().skip(index);
        let mut missing = keys.flat_map(|(outer, parts)| {
            let skipped = if outer == index { at } else { 0 };
            // A key of digits that stands alone, or that joins a map that is there, can be no index.
            let is_key = move |inner| inner == 0 || (is_map && outer == index && inner == at);
            parts.iter().enumerate().skip(skipped).map(move |(inner, part)| (part, is_key(inner)))
        });
        let item = missing.find(|(part, is_key)| !part.selectors.is_empty() || (!is_key && is_index(&part.text)));
        let Some((part, _)) = item else { return Ok(()) };
        let (name, text) = (self.leaf.name(), &part.text);
        Err(Failure::bad_target(format!(
            "`{text}` in the map's `{name}` means an item of a list, and there is no such list"
        ))
        .line(self.tree.line(node))
        .help(
            "Add the list to the file first, or give the map the whole list. A key of digits is written as an object: \
                 {\"ports\": {\"80\": ...}}, a bracket in a key as `\\[`.",
        ))
    }

    fn noun(&self, list: T::Node) -> &'static str {
        let is_root =
            T::HAS_DOCUMENTS && self.tree.id(list) == self.tree.id(self.root) && self.tree.shape(list) != Shape::List;
        if is_root { "document" } else { "item" }
    }
}

/// `kind=Service and name=web`
fn in_words(fields: &[Field]) -> String {
    let fields: Vec<_> = fields.iter().map(|field| format!("{}={}", field.path.join("."), field.value)).collect();
    fields.join(" and ")
}

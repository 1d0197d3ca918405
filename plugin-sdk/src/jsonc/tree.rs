//! The parsed document, as paths see it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use jsonc_parser::ast::{Object, ObjectProp, Value as Node};
use jsonc_parser::common::Ranged;

use crate::json::{Number, Value};
use crate::leaf::{Shape, Spans, Tree};
use crate::text;

/// In longer objects and arrays nothing is looked for from end to end.
const SHORT: usize = 16;

/// A document.
pub(super) struct Document<'t, 'a> {
    text: &'a str,
    /// The places of the keys of long objects, by where the object starts. They are filled when a key is asked for.
    keys: RefCell<HashMap<usize, HashMap<&'t str, usize>>>,
    /// The items of long arrays, by where the array starts.
    items: HashMap<usize, Vec<&'t Node<'a>>>,
}

impl<'t, 'a> Document<'t, 'a> {
    pub(super) fn new(text: &'a str, root: &'t Node<'a>) -> Self {
        let mut items = HashMap::new();
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            match node {
                Node::Object(object) => open.extend(object.properties.iter().map(|property| &property.value)),
                Node::Array(array) => {
                    open.extend(&array.elements);
                    if array.elements.len() > SHORT {
                        items.insert(array.range.start, array.elements.iter().collect());
                    }
                }
                _ => {}
            }
        }
        Self { text, keys: RefCell::default(), items }
    }

    /// The property that a reader takes: the last of that name.
    fn find(&self, object: &'t Object<'a>, name: &str) -> Option<&'t ObjectProp<'a>> {
        let all = &object.properties;
        if all.len() <= SHORT {
            return all.iter().rfind(|property| property.name.as_str() == name);
        }
        let mut known = self.keys.borrow_mut();
        let keys = known
            .entry(object.range.start)
            .or_insert_with(|| all.iter().enumerate().map(|(at, property)| (property.name.as_str(), at)).collect());
        keys.get(name).map(|&at| &all[at])
    }
}

impl<'t, 'a> Tree for Document<'t, 'a> {
    type Node = &'t Node<'a>;

    const MAP: &'static str = "an object";
    const LIST: &'static str = "an array";

    fn id(&self, node: Self::Node) -> usize {
        node.range().start
    }

    fn shape(&self, node: Self::Node) -> Shape {
        match node {
            Node::Object(_) => Shape::Map,
            Node::Array(_) => Shape::List,
            Node::NullKeyword(_) => Shape::Null,
            Node::BooleanLit(_) => Shape::Bool,
            Node::NumberLit(_) => Shape::Number,
            Node::StringLit(_) => Shape::Text,
        }
    }

    fn line(&self, node: Self::Node) -> usize {
        text::line_of(self.text, node.range().start)
    }

    fn child(&self, node: Self::Node, key: &str) -> Option<Self::Node> {
        self.find(node.as_object()?, key).map(|property| &property.value)
    }

    fn items(&self, node: Self::Node) -> Cow<'_, [Self::Node]> {
        match (self.items.get(&node.range().start), node) {
            (Some(items), Node::Array(_)) => Cow::Borrowed(items),
            (None, Node::Array(array)) => array.elements.iter().collect(),
            _ => Cow::Borrowed(&[]),
        }
    }

    fn text(&self, node: Self::Node) -> Option<Cow<'_, str>> {
        match node {
            Node::StringLit(text) => Some(Cow::Borrowed(&text.value)),
            Node::Object(_) | Node::Array(_) => None,
            _ => Some(Cow::Borrowed(&self.text[self.span(node)])),
        }
    }

    /// A text may stand for the number or truth value that it reads as.
    fn says(&self, node: Self::Node, value: &Value) -> bool {
        match (node, value) {
            (Node::NullKeyword(_), Value::Null) => true,
            (Node::BooleanLit(old), Value::Bool(new)) => old.value == *new,
            (Node::BooleanLit(old), Value::String(new)) => old.value.to_string() == *new,
            (Node::NumberLit(old), Value::Number(new)) => Number::parse(old.value).as_ref() == Some(new),
            (Node::NumberLit(old), Value::String(new)) => {
                Number::parse(new).is_some_and(|new| Number::parse(old.value) == Some(new))
            }
            (Node::StringLit(old), Value::String(new)) => old.value == new.as_str(),
            _ => false,
        }
    }
}

impl Spans for Document<'_, '_> {
    fn whole(&self) -> &str {
        self.text
    }

    fn span(&self, node: Self::Node) -> Range<usize> {
        node.range().start..node.range().end
    }

    fn entries(&self, node: Self::Node) -> impl Iterator<Item = (Cow<'_, str>, Self::Node)> {
        let properties = node.as_object().map(|object| object.properties.as_slice()).unwrap_or_default();
        properties.iter().map(|property| (Cow::Borrowed(property.name.as_str()), &property.value))
    }
}

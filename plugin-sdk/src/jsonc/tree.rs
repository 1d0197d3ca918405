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

/// Longer objects are not looked through from end to end.
const SHORT: usize = 16;

/// A document.
pub(super) struct Document<'t, 'a> {
    text: &'a str,
    /// The places of the keys of long objects, by where the object starts. They are filled when a key is asked for.
    keys: RefCell<HashMap<usize, HashMap<&'t str, usize>>>,
}

impl<'t, 'a: 't> Document<'t, 'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, keys: RefCell::default() }
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

impl<'t, 'a: 't> Tree for Document<'t, 'a> {
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
        node.as_array().into_iter().flat_map(|array| &array.elements).collect()
    }

    fn item(&self, node: Self::Node, index: usize) -> Option<Self::Node> {
        node.as_array()?.elements.get(index)
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

impl<'t, 'a: 't> Spans for Document<'t, 'a> {
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

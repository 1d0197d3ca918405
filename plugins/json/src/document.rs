//! The document: its text, and the edits to it.

use jsonc_parser::ast::{Object, ObjectProp, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use portkeeper_plugin_sdk::text::{self, LineEnd};
use portkeeper_plugin_sdk::{Failure, log};
use serde_json::Value;

use crate::insert;
use crate::leaf::Leaf;
use crate::value::{self, Layout};

/// A JSON document, with or without comments.
#[derive(Debug)]
pub(crate) struct Document {
    mark: String,
    text: String,
}

/// A piece of text to put in the place of another.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) text: String,
}

impl Document {
    /// Reads a file's text. Without a value in it the document is an empty object, after the comments if there are some.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        let (mark, body) = text::split_mark(text);
        let mut text = body.to_owned();
        if parse(body)?.is_none() {
            let end = LineEnd::of(body).as_str();
            let comments = body.trim();
            text = if comments.is_empty() { format!("{{}}{end}") } else { format!("{comments}{end}{{}}{end}") };
        }
        let document = Self { mark: mark.to_owned(), text };
        root(parse(&document.text)?.as_ref())?;
        Ok(document)
    }

    pub(crate) fn into_text(self) -> String {
        self.mark + &self.text
    }

    /// Gives the leaf's place its value. `numbers`: new whole numbers are written as numbers.
    pub(crate) fn set(&mut self, leaf: &Leaf<'_>, numbers: bool) -> Result<(), Failure> {
        let ast = parse(&self.text)?;
        let edit = Editor { text: &self.text, root: root(ast.as_ref())?, leaf, numbers }.edit()?;
        drop(ast);
        if let Some(Edit { start, end, text }) = edit {
            log::debug(&format!("{}: {text}", leaf.name()));
            self.text.replace_range(start..end, &text);
        }
        Ok(())
    }
}

fn parse(text: &str) -> Result<Option<Node<'_>>, Failure> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    match parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(result) => Ok(result.value),
        Err(error) => Err(Failure::bad_target(format!("this is no JSON: {}", error.kind()))
            .line(text::line_of(text, error.range().start))
            .help("Mend the file first; nothing in it was changed.")),
    }
}

fn root<'a, 'b>(node: Option<&'b Node<'a>>) -> Result<&'b Object<'a>, Failure> {
    node.and_then(Node::as_object).ok_or_else(|| {
        Failure::bad_target("the document is not an object, so there is no place for keys")
            .help("Choose another `path`, or make the file's value an object: { ... }.")
    })
}

/// Finds out what to change for one leaf.
struct Editor<'a> {
    text: &'a str,
    root: &'a Object<'a>,
    leaf: &'a Leaf<'a>,
    numbers: bool,
}

impl Editor<'_> {
    fn edit(&self) -> Result<Option<Edit>, Failure> {
        let mut object = self.root;
        let mut path = self.path_in(object, 0);
        let mut key = 0;
        loop {
            let Some((name, rest)) = path.split_first() else {
                // The parts of one key of the map are used up: on to the next key.
                key += 1;
                path = self.path_in(object, key);
                continue;
            };
            let is_last = rest.is_empty() && key + 1 == self.leaf.keys.len();
            let Some(property) = find(object, name) else {
                let inner = [rest, &self.leaf.keys[key + 1..].concat()].concat();
                return Ok(Some(self.insertion(object, name, &inner)));
            };
            match &property.value {
                node if is_last => return self.replacement(node),
                Node::Object(inner) => object = inner,
                Node::NullKeyword(null) => {
                    let inner = [rest, &self.leaf.keys[key + 1..].concat()].concat();
                    let value = value::nested(&inner, self.new_value());
                    let layout = insert::layout_at(self.text, self.root, null.range.start);
                    return Ok(Some(Edit { start: null.range.start, end: null.range.end, text: layout.write(&value) }));
                }
                node => return Err(self.clash(node, name, "an object")),
            }
            path = rest.to_vec();
        }
    }

    /// The keys to follow in this object for one key of the map: the key itself where the object has it, dots and all.
    fn path_in(&self, object: &Object<'_>, key: usize) -> Vec<String> {
        let parts = &self.leaf.keys[key];
        let literal = parts.join(".");
        if find(object, &literal).is_some() { vec![literal] } else { parts.clone() }
    }

    fn insertion(&self, object: &Object<'_>, name: &str, inner: &[String]) -> Edit {
        let value = value::nested(inner, self.new_value());
        insert::property(self.text, self.root, object, name, &value)
    }

    fn replacement(&self, old: &Node<'_>) -> Result<Option<Edit>, Failure> {
        let new = self.leaf.value;
        let name = || self.leaf.keys.last().and_then(|parts| parts.last()).map_or("", String::as_str);
        match (old, new) {
            (Node::Object(_), Value::Object(_)) => return Ok(None),
            (Node::Object(_), _) => return Err(self.clash(old, name(), "a single value")),
            (Node::NullKeyword(_), _) => {}
            (_, Value::Object(_)) => return Err(self.clash(old, name(), "an object")),
            _ => {}
        }
        let range = old.range();
        let layout = insert::layout_at(self.text, self.root, range.start);
        let text = value::in_place_of(old, new, &layout);
        Ok(text.map(|text| Edit { start: range.start, end: range.end, text }))
    }

    /// The value of a key that the document does not have.
    fn new_value(&self) -> Value {
        match self.leaf.value {
            Value::String(text) if self.numbers => value::whole_number(text).unwrap_or_else(|| self.leaf.value.clone()),
            value => value.clone(),
        }
    }

    fn clash(&self, node: &Node<'_>, name: &str, wanted: &str) -> Failure {
        let found = match node {
            Node::Object(_) => "an object",
            Node::Array(_) => "an array",
            _ => "a single value",
        };
        let line = text::line_of(self.text, node.range().start);
        Failure::bad_target(format!(
            "`{name}` is {found} here, and the map's `{}` wants it to be {wanted}",
            self.leaf.name()
        ))
        .line(line)
        .help("Nothing is replaced that would be lost. Change the map, or remove the value from the file.")
    }
}

/// The property that a reader takes: the last of that name.
fn find<'a, 'b>(object: &'b Object<'a>, name: &str) -> Option<&'b ObjectProp<'a>> {
    object.properties.iter().rfind(|property| property.name.as_str() == name)
}

impl Layout<'_> {
    fn write(&self, value: &Value) -> String {
        value::write(value, self)
    }
}

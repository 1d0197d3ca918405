//! JSON documents that have an owner, with or without comments, edited in place. Needs the feature `jsonc`.
//!
//! Key order, indentation, comments, trailing commas, escapes and numbers that do not change stay as they are written. A value that is
//! a number or a boolean in the document stays one when the new text reads as one. Nothing is replaced that would be lost, such
//! as an object by a single value.
//!
//! ```
//! use portkeeper_plugin_sdk::jsonc::Document;
//! use portkeeper_plugin_sdk::leaf::leaves;
//!
//! let mut document = Document::read("{\n\t// the server\n\t\"port\": 1,\n}\n").unwrap();
//! let map = r#"{"port": "8888", "url.base": "/api"}"#;
//! let map = portkeeper_plugin_sdk::Request { map: map.to_owned(), ..Default::default() }.json_map().unwrap();
//! for leaf in &leaves(&map).unwrap() {
//!     document.set(leaf, false).unwrap();
//! }
//! let expected = "{\n\t// the server\n\t\"port\": 8888,\n\t\"url\": {\n\t\t\"base\": \"/api\"\n\t},\n}\n";
//! assert_eq!(document.to_string(), expected);
//! ```

mod insert;
mod value;

use std::fmt;

use crate::json::Value;
use crate::leaf::{self, Leaf};
use crate::text::{self, LineEnd};
use crate::{Failure, log};
use jsonc_parser::ast::{Object, ObjectProp, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// A JSON document, with or without comments.
#[derive(Debug, Clone)]
pub struct Document {
    mark: String,
    text: String,
}

/// A piece of text to put in the place of another.
#[derive(Debug)]
struct Edit {
    start: usize,
    end: usize,
    text: String,
}

impl Document {
    /// Reads a file's text. Without a value in it the document is an empty object, after the comments if there are some.
    ///
    /// # Errors
    /// `bad-target` with the line of what is no JSON, or when the document is no object.
    pub fn read(text: &str) -> Result<Self, Failure> {
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

    /// Gives the leaf's place its value. `numbers`: new whole numbers are written as numbers.
    ///
    /// # Errors
    /// `bad-target` with the line of what would be lost.
    pub fn set(&mut self, leaf: &Leaf<'_>, numbers: bool) -> Result<(), Failure> {
        let ast = parse(&self.text)?;
        let (document, root) = root(ast.as_ref())?;
        let edit = Editor { text: &self.text, document, root, leaf, numbers }.edit()?;
        drop(ast);
        if let Some(Edit { start, end, text }) = edit {
            log::debug(&format!("{}: {text}", leaf.name()));
            self.text.replace_range(start..end, &text);
        }
        Ok(())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mark)?;
        f.write_str(&self.text)
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
        Err(error) => {
            let reason = error.kind().to_string();
            let help = if reason.contains("surrogate") {
                "JSON takes half of a character (\\ud800 to \\udfff), and not every reader does: write both halves, or another character."
            } else {
                "Mend the file first; nothing in it was changed."
            };
            let failure = Failure::bad_target(format!("this is no JSON: {reason}"));
            Err(failure.line(text::line_of(text, error.range().start)).help(help))
        }
    }
}

/// The document's value, and the same as the object that it is.
fn root<'a, 'b>(node: Option<&'b Node<'a>>) -> Result<(&'b Node<'a>, &'b Object<'a>), Failure> {
    node.and_then(|node| Some((node, node.as_object()?))).ok_or_else(|| {
        Failure::bad_target("the document is not an object, so there is no place for keys")
            .help("Choose another `path`, or make the file's value an object: { ... }.")
    })
}

/// Finds out what to change for one leaf.
struct Editor<'a> {
    text: &'a str,
    document: &'a Node<'a>,
    /// The same as the object that it is.
    root: &'a Object<'a>,
    leaf: &'a Leaf<'a>,
    numbers: bool,
}

impl Editor<'_> {
    fn edit(&self) -> Result<Option<Edit>, Failure> {
        let child = |node, key: &str| Some(&find(Node::as_object(node)?, key)?.value);
        let walk = self.leaf.walk(self.document, child);
        let new = self.leaf.new_value(self.numbers);
        match (walk.node, walk.missing.split_first()) {
            (node, None) => self.replacement(node, walk.key()),
            (Node::Object(object), Some((name, inner))) => {
                Ok(Some(insert::property(self.text, self.root, object, name, &leaf::nested(inner, new))))
            }
            (Node::NullKeyword(null), Some(_)) => {
                let layout = insert::layout_at(self.text, self.root, null.range.start);
                let text = value::write(&leaf::nested(&walk.missing, new), &layout);
                Ok(Some(Edit { start: null.range.start, end: null.range.end, text }))
            }
            (node, Some(_)) => Err(self.clash(node, walk.key(), "an object")),
        }
    }

    fn replacement(&self, old: &Node<'_>, key: &str) -> Result<Option<Edit>, Failure> {
        let new = self.leaf.value;
        match (old, new) {
            (Node::Object(_), Value::Object(_)) => return Ok(None),
            (Node::Object(_), _) => return Err(self.clash(old, key, "a single value")),
            (Node::NullKeyword(_), _) => {}
            (_, Value::Object(_)) => return Err(self.clash(old, key, "an object")),
            _ => {}
        }
        let range = old.range();
        let layout = insert::layout_at(self.text, self.root, range.start);
        let text = value::in_place_of(self.text, old, new, &layout);
        Ok(text.map(|text| Edit { start: range.start, end: range.end, text }))
    }

    fn clash(&self, node: &Node<'_>, key: &str, wanted: &str) -> Failure {
        let found = match node {
            Node::Object(_) => "an object",
            Node::Array(_) => "an array",
            _ => "a single value",
        };
        self.leaf.clash(key, found, wanted).line(text::line_of(self.text, node.range().start))
    }
}

/// The property that a reader takes: the last of that name.
fn find<'a, 'b>(object: &'b Object<'a>, name: &str) -> Option<&'b ObjectProp<'a>> {
    object.properties.iter().rfind(|property| property.name.as_str() == name)
}

//! JSON documents that have an owner, with or without comments, edited in place. Needs the feature `jsonc`.
//!
//! Key order, indentation, comments, trailing commas, escapes and numbers that do not change stay as they are written. A value that is
//! a number or a boolean in the document stays one when the new text reads as one. Nothing is replaced that would be lost, such
//! as an object by a single value.
//!
//! The document is parsed once; all changes are planned on what the parser says about places, and made together; then the new text is
//! parsed, and says what the map says and otherwise what the old one said, or it is not handed out.
//!
//! The parser is jsonc-parser. What was compared (2026-11, 6,000 lines with 50 changes, native): its AST takes 1.4 ms, its CST, which
//! can change a document itself, 33 ms and twice the size in WebAssembly (74 KB instead of 39 KB).
//!
//! ```
//! use portkeeper_plugin_sdk::jsonc;
//! use portkeeper_plugin_sdk::leaf::leaves;
//!
//! let old = "{\n\t// the server\n\t\"port\": 1,\n}\n";
//! let map = r#"{"port": "8888", "url.base": "/api"}"#;
//! let map = portkeeper_plugin_sdk::Request { map: map.to_owned(), ..Default::default() }.json_map().unwrap();
//! let new = jsonc::merge(old, &leaves(&map).unwrap(), false).unwrap();
//! let expected = "{\n\t// the server\n\t\"port\": 8888,\n\t\"url\": {\n\t\t\"base\": \"/api\"\n\t},\n}\n";
//! assert_eq!(new, expected);
//! ```

mod place;
mod tree;
mod value;

use self::place::Style;
use self::tree::Document;
use crate::edits::{Edited, Edits};
use crate::json::Value;
use crate::leaf::{self, Change, Leaf, Planned, Rest};
use crate::text::{self, LineEnd};
use crate::{Failure, log};
use jsonc_parser::ast::{Object, Value as Node};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// The text of a file with each leaf's value at its place. Without a value in it the document is an empty object, after the comments if
/// there are some. `numbers`: new whole numbers are written as numbers.
///
/// # Errors
/// `bad-target` with the line of what is no JSON, would be lost, or is not there or several; `bad-map` for two values for one place.
pub fn merge(text: &str, leaves: &[Leaf<'_>], numbers: bool) -> Result<String, Failure> {
    let (mark, body) = text::split_mark(text);
    let Some(root) = parse(body)? else {
        return Ok(format!("{mark}{}", merge(&with_object(body), leaves, numbers)?));
    };
    let Some((edited, rest)) = edit(body, &root, leaves, numbers)? else { return Ok(text.to_owned()) };
    // Two large documents would not fit into a plugin's memory.
    drop(root);
    let places = edited.places.into_iter().map(|(_, new)| new).collect();
    let root = parse(&edited.text).ok().flatten().ok_or_else(|| leaf::not_possible(&leaves[0].name()))?;
    rest.check(&Document::new(&edited.text), &root, leaves, places)?;
    Ok(format!("{mark}{}", edited.text))
}

/// A text without a value with an empty object behind its comments.
fn with_object(text: &str) -> String {
    let end = LineEnd::of(text).as_str();
    let comments = text.trim();
    if comments.is_empty() { format!("{{}}{end}") } else { format!("{comments}{end}{{}}{end}") }
}

/// The text with what the leaves want, and what it says beyond that; none when it says so already.
fn edit<'a>(
    text: &'a str,
    root: &Node<'a>,
    leaves: &[Leaf<'_>],
    numbers: bool,
) -> Result<Option<(Edited, Rest)>, Failure> {
    let style = Style::of(text, object(root)?);
    let tree = Document::new(text);
    let planned = leaf::plan(&tree, root, leaves, numbers)?;
    let Some(first) = planned.first() else { return Ok(None) };
    let mut edits = Edits::default();
    planned.iter().for_each(|planned| write(&style, planned, &mut edits));
    log::debug(&format!("{} changes, the first one for `{}`", planned.len(), first.leaf.name()));
    let edited = edits.apply(text).ok_or_else(|| leaf::not_possible(&first.leaf.name()))?;
    let places = edited.places.iter().map(|(old, _)| old.clone()).collect();
    let rest = Rest::before(&tree, root, &planned, places);
    Ok(Some((edited, rest)))
}

fn write<'a>(style: &Style<'a>, planned: &Planned<'_, &Node<'a>>, edits: &mut Edits) {
    match &planned.change {
        Change::Replace { node, value } => {
            let text = value::in_place_of(node, value);
            let text = text.unwrap_or_else(|| value::write(value, &style.layout_at(node.range().start)));
            edits.replace(node.range().start..node.range().end, text);
        }
        Change::Fill { node, value } => match &**value {
            Value::Array(items) if node.as_array().is_some() => {
                let (place, text) = style.append(node, items);
                edits.replace(place, text);
            }
            value => {
                let layout = style.layout_at(node.range().start);
                edits.replace(node.range().start..node.range().end, value::write(value, &layout));
            }
        },
        Change::Insert { map, entries } => {
            if let Node::Object(object) = map {
                let (place, text) = style.insert(object, entries);
                edits.replace(place, text);
            }
        }
        Change::Append { list, items } => {
            let (place, text) = style.append(list, items);
            edits.replace(place, text);
        }
        Change::Truncate { list, keep } => {
            style.truncate(list, *keep).into_iter().for_each(|(place, text)| edits.replace(place, text));
        }
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

/// The object that the document is.
fn object<'a, 'b>(node: &'b Node<'a>) -> Result<&'b Object<'a>, Failure> {
    node.as_object().ok_or_else(|| {
        Failure::bad_target("the document is not an object, so there is no place for keys")
            .help("Choose another `path`, or make the file's value an object: { ... }.")
    })
}

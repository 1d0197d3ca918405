//! Where a new property goes, and how it looks there.

use jsonc_parser::ast::{Object, ObjectProp};
use jsonc_parser::common::Ranged;

use super::Edit;
use super::value::{self, Layout};
use crate::json::Value;
use crate::text::LineEnd;

/// The edit that adds a property after the last one of the object, in the style of its neighbours.
pub(super) fn property(text: &str, root: &Object<'_>, object: &Object<'_>, name: &str, value: &Value) -> Edit {
    let outer = layout_at(text, root, object.range.start);
    let Some(last) = object.properties.last() else { return first(text, object, name, value, &outer) };
    let layout = beside(text, object, &outer);
    let written = value::property(name, value, &layout);
    let after = skip(text, last.range.end, object.range.end, Skip::Comma);
    let has_comma = text[..after].ends_with(',');
    let place = if has_comma { after } else { last.range.end };
    match layout {
        Layout::Inline { comma, .. } => {
            let added = if has_comma { format!(" {written},") } else { format!("{comma}{written}") };
            Edit { start: place, end: place, text: added }
        }
        Layout::Lines { end, indent, .. } => {
            // A comment behind the last property stays behind it.
            let line = skip(text, place, object.range.end, Skip::Comments);
            let (before, behind) = if has_comma { ("", ",") } else { (",", "") };
            let comments = &text[place..line];
            Edit { start: place, end: line, text: format!("{before}{comments}{end}{indent}{written}{behind}") }
        }
    }
}

/// The edit that puts the first property into an object, after the comments in it.
fn first(text: &str, object: &Object<'_>, name: &str, value: &Value, outer: &Layout<'_>) -> Edit {
    let (start, end) = (object.range.start + 1, object.range.end - 1);
    let inside = text[start..end].trim_end();
    let written = match outer {
        Layout::Inline { .. } if inside.is_empty() => value::property(name, value, outer),
        Layout::Inline { .. } => format!("{inside}\n{}", value::property(name, value, outer)),
        Layout::Lines { end, indent, unit } => {
            format!("{inside}{end}{indent}{unit}{}{end}{indent}", value::property(name, value, &outer.inner()))
        }
    };
    Edit { start, end, text: written }
}

/// The layout of a value that starts here.
pub(super) fn layout_at<'a>(text: &'a str, root: &Object<'a>, at: usize) -> Layout<'a> {
    if let Some(first) = root.properties.first().filter(|_| !text.trim().contains('\n')) {
        return inline(text, first);
    }
    Layout::Lines { end: LineEnd::of(text).as_str(), indent: indent_of(text, at).to_owned(), unit: unit(text, root) }
}

/// The layout of a new property beside the others of its object.
fn beside<'a>(text: &'a str, object: &Object<'a>, outer: &Layout<'a>) -> Layout<'a> {
    match (object.properties.first(), outer) {
        (Some(first), _) if !text[object.range.start..object.range.end].contains('\n') => inline(text, first),
        (Some(first), Layout::Lines { end, unit, .. }) if starts_its_line(text, first.range.start) => {
            Layout::Lines { end, indent: indent_of(text, first.range.start).to_owned(), unit }
        }
        (_, Layout::Lines { end, indent, unit }) => Layout::Lines { end, indent: format!("{indent}{unit}"), unit },
        (_, Layout::Inline { colon, comma }) => Layout::Inline { colon, comma },
    }
}

/// One line, spaced as this property is.
fn inline<'a>(text: &'a str, like: &ObjectProp<'a>) -> Layout<'a> {
    let colon = &text[like.name.range().end..like.value.range().start];
    let colon = if colon.trim() == ":" { colon } else { ": " };
    Layout::Inline { colon, comma: if colon == ":" { "," } else { ", " } }
}

/// One level of indentation: what the document's first property has, else two spaces.
fn unit<'a>(text: &'a str, root: &Object<'a>) -> &'a str {
    let first = root.properties.first().map(|property| property.range.start).filter(|&at| starts_its_line(text, at));
    first.map(|at| indent_of(text, at)).filter(|indent| !indent.is_empty()).unwrap_or("  ")
}

/// The blanks that the line starts with.
fn indent_of(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |feed| feed + 1)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn starts_its_line(text: &str, at: usize) -> bool {
    text[..at].trim_end_matches([' ', '\t']).ends_with('\n')
}

/// What [`skip`] is looking for.
#[derive(Clone, Copy, PartialEq)]
enum Skip {
    /// The comma after a property, wherever it is.
    Comma,
    /// The end of the comments on the same line.
    Comments,
}

/// The byte after the comma (the start when there is none), or after the comments.
fn skip(text: &str, start: usize, end: usize, what: Skip) -> usize {
    let mut at = start;
    let mut done = start;
    while at < end {
        let rest = &text[at..end];
        if rest.starts_with("//") {
            let line = rest.find('\n').map_or(rest, |feed| &rest[..feed]);
            at += line.trim_end_matches('\r').len();
            done = at;
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |close| close + 2);
            done = at;
        } else if what == Skip::Comma && rest.starts_with(',') {
            return at + 1;
        } else if rest.starts_with([' ', '\t', '\r']) || (what == Skip::Comma && rest.starts_with('\n')) {
            at += 1;
        } else {
            break;
        }
    }
    if what == Skip::Comma { start } else { done }
}

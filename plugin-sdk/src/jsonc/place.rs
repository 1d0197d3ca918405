//! Where something new goes, and how it looks there.

use jsonc_parser::ast::{Object, ObjectProp, Value as Node};
use jsonc_parser::common::{Range, Ranged};

use super::value::{Layout, property, write};
use crate::brackets::{Between, Brackets, Comments, Edit};
use crate::json::{Map, Value};
use crate::text::LineEnd;

/// How a document is laid out.
pub(super) struct Style<'a> {
    text: &'a str,
    end: &'static str,
    /// One level of indentation.
    unit: &'a str,
    /// Of a document on one line.
    inline: Option<Layout<'a>>,
}

impl<'a> Style<'a> {
    pub(super) fn of(text: &'a str, root: &Object<'a>) -> Self {
        let first = root.properties.first();
        let unit = first.map(|first| first.range.start).filter(|&at| starts_its_line(text, at));
        let unit = unit.map(|at| indent_of(text, at)).filter(|indent| !indent.is_empty()).unwrap_or("  ");
        let inline = first.filter(|_| !text.trim().contains('\n')).map(|first| inline(text, first));
        Self { text, end: LineEnd::of(text).as_str(), unit, inline }
    }

    /// The layout of a value that starts here.
    pub(super) fn layout_at(&self, at: usize) -> Layout<'a> {
        let lines = || Layout::Lines { end: self.end, indent: indent_of(self.text, at).to_owned(), unit: self.unit };
        self.inline.clone().unwrap_or_else(lines)
    }

    /// The edit that adds properties behind the last one of an object, in the style of its neighbors.
    pub(super) fn insert(&self, object: &Object<'a>, entries: &Map) -> Edit {
        let write = |layout: &Layout<'_>| entries.iter().map(|(key, value)| property(key, value, layout)).collect();
        let like = object.properties.first().map(|first| inline(self.text, first));
        let ends = object.properties.first().zip(object.properties.last());
        self.add(object.range, ends.map(|(first, last)| (first.range, last.range)), like, write)
    }

    /// The edit that adds items behind the last one of an array.
    pub(super) fn append(&self, list: &Node<'a>, items: &[Value]) -> Edit {
        let write = |layout: &Layout<'_>| items.iter().map(|item| write(item, layout)).collect();
        let elements = list.as_array().map(|array| array.elements.as_slice()).unwrap_or_default();
        let ends = elements.first().zip(elements.last()).map(|(first, last)| (first.range(), last.range()));
        let comma = match elements {
            [one, two, ..] if &self.text[one.range().end..two.range().start] == "," => ",",
            [_, _, ..] => ", ",
            _ => match self.inline {
                Some(Layout::Inline { comma, .. }) => comma,
                _ => ", ",
            },
        };
        let colon = match self.inline {
            Some(Layout::Inline { colon, .. }) => colon,
            _ => ": ",
        };
        self.add(list.range(), ends, Some(Layout::Inline { colon, comma }), write)
    }

    /// The edits that leave an array its first items.
    pub(super) fn truncate(&self, list: &Node<'a>, keep: usize) -> Vec<Edit> {
        let elements = list.as_array().map(|array| array.elements.as_slice()).unwrap_or_default();
        let Some(last) = elements.last() else { return Vec::new() };
        let kept = keep.checked_sub(1).and_then(|at| elements.get(at)).map(|item| item.range().end);
        self.brackets(list.range()).truncate(kept, last.range().end)
    }

    /// Adds what `write` makes of a layout. `ends`: the first and the last one that are there; `like`: how they look on one line.
    fn add(
        &self,
        range: Range,
        ends: Option<(Range, Range)>,
        like: Option<Layout<'a>>,
        write: impl Fn(&Layout<'_>) -> Vec<String>,
    ) -> Edit {
        let outer = self.layout_at(range.start);
        let layout = match (ends, like) {
            (Some(_), Some(like)) if !self.text[range.start..range.end].contains('\n') => like,
            (Some((first, _)), _) if self.inline.is_none() && starts_its_line(self.text, first.start) => {
                self.layout_at(first.start)
            }
            _ => outer.inner(),
        };
        let between = match &layout {
            Layout::Inline { comma, .. } => Between::Line(comma),
            Layout::Lines { end, indent, .. } => Between::Lines { end, indent },
        };
        let brackets = self.brackets(range);
        match (ends, &outer) {
            (Some((_, last)), _) => brackets.append(last.end, &write(&layout), between),
            (None, Layout::Lines { indent, .. }) => brackets.fill(&write(&layout), between, indent),
            (None, Layout::Inline { .. }) => brackets.fill(&write(&layout), between, ""),
        }
    }

    fn brackets(&self, range: Range) -> Brackets<'a> {
        Brackets { text: self.text, span: range.start..range.end, comments: Comments::Slashes }
    }
}

/// One line, spaced as this property is.
fn inline<'a>(text: &'a str, like: &ObjectProp<'a>) -> Layout<'a> {
    let colon = &text[like.name.range().end..like.value.range().start];
    let colon = if colon.trim() == ":" { colon } else { ": " };
    Layout::Inline { colon, comma: if colon == ":" { "," } else { ", " } }
}

/// The blanks that the line starts with.
fn indent_of(text: &str, at: usize) -> &str {
    let line = &text[text[..at].rfind('\n').map_or(0, |feed| feed + 1)..at];
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}

fn starts_its_line(text: &str, at: usize) -> bool {
    text[..at].trim_end_matches([' ', '\t']).ends_with('\n')
}

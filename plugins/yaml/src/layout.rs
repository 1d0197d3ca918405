//! Where in the text things end, and where more can follow.

use std::ops::Range;

use portkeeper_plugin_sdk::text::LineEnd;
use portkeeper_plugin_sdk::yaml::{Id, Node, Style, Value, Yaml};

/// One level, where the file does not show its own.
pub(crate) const INDENT: usize = 2;

/// A document and its text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout<'a> {
    pub(crate) yaml: &'a Yaml,
    pub(crate) text: &'a str,
    /// How most of the lines end.
    line_end: &'static str,
}

/// A key and its value. The root and the items of a list have no key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) key: Option<Id>,
    pub(crate) value: Id,
}

impl<'a> Layout<'a> {
    pub(crate) fn new(yaml: &'a Yaml, text: &'a str) -> Self {
        Self { yaml, text, line_end: LineEnd::of(text).as_str() }
    }

    /// What puts lines below the one that holds this byte. A text without a final line end keeps having none.
    ///
    /// None when the text ends in a block of text: that would get a line end that it does not have, which some readers tell apart and
    /// others don't.
    pub(crate) fn lines_below(&self, at: usize, lines: &[String]) -> Option<(Range<usize>, String)> {
        let end = self.line_end;
        if let Some(at) = self.next_line(at) {
            return Some((at..at, lines.iter().map(|line| format!("{line}{end}")).collect()));
        }
        let last = self.text.len();
        let is_block = |node: &Node| matches!(node.value, Value::Text { style: Style::Block, .. });
        let ends_in_block = self.nodes().any(|node| is_block(node) && node.span.end == last);
        (!ends_in_block).then(|| (last..last, lines.iter().map(|line| format!("{end}{line}")).collect()))
    }

    /// Where the line after the one that holds this byte starts: the byte itself if that starts a line. None in a last line without an end.
    pub(crate) fn next_line(&self, at: usize) -> Option<usize> {
        let starts_line = at == 0 || self.text[..at].ends_with('\n');
        if starts_line { Some(at) } else { self.text[at..].find('\n').map(|feed| at + feed + 1) }
    }

    /// Where the value ends: after the colon for an empty one, after the last line of a block.
    pub(crate) fn end_of(&self, place: Place) -> usize {
        let node = self.yaml.node(place.value);
        let last = match &node.value {
            Value::Text { style: Style::Plain, .. } if node.span.is_empty() => return self.after_colon(place),
            Value::Text { .. } | Value::Alias(_) => return node.span.end,
            Value::List(items) => items.last().map(|&value| Place { key: None, value }),
            Value::Map(entries) => entries.last().map(|&(key, value)| Place { key: Some(key), value }),
        };
        let inside = last.map_or(node.span.end, |last| self.end_of(last));
        if node.in_flow { self.after_bracket(inside) } else { inside }
    }

    fn after_colon(&self, place: Place) -> usize {
        let Some(key) = place.key else { return self.yaml.node(place.value).span.end };
        let end = self.yaml.node(key).span.end;
        let rest = self.text[end..].trim_start_matches([' ', '\t']);
        if rest.starts_with(':') { self.text.len() - rest.len() + 1 } else { end }
    }

    /// After the bracket that closes a collection whose last item ends here: commas, blanks and comments may come before it.
    fn after_bracket(&self, inside: usize) -> usize {
        let mut is_comment = false;
        for (at, c) in self.text[inside..].char_indices() {
            match c {
                '\n' => is_comment = false,
                _ if is_comment => {}
                '#' => is_comment = true,
                ']' | '}' => return inside + at + 1,
                _ => {}
            }
        }
        self.text.len()
    }

    /// How far a mapping in a mapping is indented: as the first one is.
    pub(crate) fn unit(&self) -> usize {
        let entries = self.nodes().filter_map(|node| match &node.value {
            Value::Map(entries) if !node.in_flow => Some(entries),
            _ => None,
        });
        let indent = |&(key, value): &(Id, Id)| match &self.yaml.node(value).value {
            Value::Map(inner) if !self.yaml.node(value).in_flow => {
                let inner = self.yaml.node(inner.first()?.0).column;
                inner.checked_sub(self.yaml.node(key).column).filter(|&indent| indent > 0)
            }
            _ => None,
        };
        entries.flatten().find_map(indent).unwrap_or(INDENT)
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        (0..self.yaml.len()).map(|id| self.yaml.node(id))
    }
}

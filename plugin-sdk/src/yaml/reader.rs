//! From the parser's events to nodes.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{DEEPEST, Id, Node, Style, Value, Yaml, YamlError};

/// Reads the only document of a text, or all of them where `several` may be.
pub(super) fn read(text: &str, several: bool) -> Result<Yaml, YamlError> {
    let mut yaml = Yaml::default();
    let mut roots = Vec::new();
    let mut columns = Columns::default();
    // The collections that are open, and the key that waits for its value.
    let mut open: Vec<(Id, Option<Id>)> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| YamlError { message: error.info(), line: error.marker().line() })?;
        let line = span.start.line();
        let (value, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (Value::Text { text: text.into_owned(), style: style_of(style) }, anchor, tag)
            }
            Event::SequenceStart(_, anchor, tag) => (Value::List(Vec::new()), anchor, tag),
            Event::MappingStart(_, anchor, tag) => (Value::Map(Vec::new()), anchor, tag),
            Event::Alias(anchor) => (Value::Alias(anchor), 0, None),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                continue;
            }
            Event::DocumentStart(..) if !several && !roots.is_empty() => {
                return Err(YamlError { message: "a second document starts here".to_owned(), line });
            }
            _ => continue,
        };
        let id = yaml.nodes.len();
        let is_open = matches!(value, Value::List(_) | Value::Map(_));
        let span = content(text, bytes(text, &span), &value);
        let is_bracket = is_open && text[span.clone()].starts_with(['[', '{']);
        let is_value = open.last().is_some_and(|(_, key)| key.is_some());
        let span = if is_value && !is_bracket && matches!(value, Value::List(_)) { dashes(text, span) } else { span };
        let in_flow = is_bracket || open.last().is_some_and(|&(parent, _)| yaml.nodes[parent].in_flow);
        let (tag, column) = (tag.map(|tag| tag_text(&tag)), columns.of(text, span.start));
        yaml.nodes.push(Node { value, tag, line, column, span, anchor, in_flow });
        if anchor != 0 {
            yaml.anchors.push((anchor, id));
        }
        match open.last_mut() {
            Some((parent, key)) => yaml.attach(id, *parent, key),
            None => roots.push(id),
        }
        if is_open {
            open.push((id, None));
        }
        if open.len() > DEEPEST {
            return Err(YamlError { message: format!("it is nested deeper than {DEEPEST} levels"), line });
        }
    }
    yaml.set_root(roots);
    Ok(yaml)
}

impl Yaml {
    /// Of several documents those that have something in them are the items of a list.
    fn set_root(&mut self, mut roots: Vec<Id>) {
        if roots.iter().any(|&root| !self.is_null(root)) {
            roots.retain(|&root| !self.is_null(root));
        }
        self.root = roots.first().copied();
        if let [first, _, ..] = roots[..] {
            let line = self.nodes[first].line;
            let span = self.nodes[first].span.start..self.nodes[first].span.start;
            self.root = Some(self.nodes.len());
            self.documents = self.root;
            let value = Value::List(roots);
            self.nodes.push(Node { value, tag: None, line, column: 0, span, anchor: 0, in_flow: false });
        }
    }

    /// Puts a node into the collection that is open. In a mapping every second node is a key.
    fn attach(&mut self, id: Id, parent: Id, key: &mut Option<Id>) {
        match &mut self.nodes[parent].value {
            Value::List(items) => items.push(id),
            Value::Map(items) => match key.take() {
                Some(key) => items.push((key, id)),
                None => *key = Some(id),
            },
            _ => {}
        }
    }
}

/// The bytes that the parser says an event takes.
fn bytes(text: &str, span: &Span) -> Range<usize> {
    let range = span.byte_range().unwrap_or_default();
    let start = range.start.min(text.len());
    start..range.end.clamp(start, text.len())
}

/// Counts the characters between the start of the line and a byte. It goes on from the last byte that was asked for, so that a text of one
/// line is counted once.
#[derive(Default)]
struct Columns {
    at: usize,
    column: usize,
}

impl Columns {
    fn of(&mut self, text: &str, at: usize) -> usize {
        let (from, before) = if at < self.at { (0, 0) } else { (self.at, self.column) };
        let passed = &text[from..at];
        self.column = match passed.rfind(['\n', '\r']) {
            Some(feed) => passed[feed + 1..].chars().count(),
            None => before + passed.chars().count(),
        };
        self.at = at;
        self.column
    }
}

/// What the parser says that a node takes, without anchor and tag before it, and what it counts in after the closing quote.
fn content(text: &str, span: Range<usize>, value: &Value) -> Range<usize> {
    let mut start = span.start;
    match value {
        // The parser counts in the indentation of the line that follows.
        Value::Text { style: Style::Block, .. } => {
            let lines = text[span.clone()].trim_end_matches([' ', '\t']);
            let end = if lines.ends_with('\n') { start + lines.len() } else { span.end };
            return start..end;
        }
        Value::Alias(_) => return span,
        _ => {}
    }
    while text[start..span.end].starts_with(['&', '!']) {
        let word = text[start..span.end].find([' ', '\t', '\n', '\r']).map_or(span.end, |length| start + length);
        let rest = &text[word..span.end];
        start = span.end - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }
    let quote = match value {
        Value::Text { style: Style::Single, .. } => '\'',
        Value::Text { style: Style::Double, .. } => '"',
        _ => return start..span.end,
    };
    let end = text[start..span.end].rfind(quote).map_or(span.end, |at| start + at + 1);
    start..closing(&text[start..end], quote).map_or(end, |length| start + length)
}

/// Where a list of lines starts that is the value of a key: at its dash. Of one as far out as its key the parser says where the first
/// item starts.
fn dashes(text: &str, span: Range<usize>) -> Range<usize> {
    let line = text[..span.start].rfind(['\n', '\r']).map_or(0, |feed| feed + 1);
    let start = line + text[line..span.start].len() - text[line..span.start].trim_start_matches(' ').len();
    if text[start..span.start].starts_with('-') { start..start } else { span }
}

/// How long the quoted scalar at the start of a text is.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            // In single quotes a quote is written twice.
            if quote == '\'' && chars.next_if(|&(_, next)| next == quote).is_some() {
                continue;
            }
            return Some(at + 1);
        }
    }
    None
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::Single,
        ScalarStyle::DoubleQuoted => Style::Double,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    }
}

fn tag_text(tag: &Tag) -> String {
    format!("{}{}", tag.handle(), tag.suffix())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text of every scalar and alias, and of the first byte of every collection.
    fn spans(text: &str) -> Vec<&str> {
        Yaml::parse(text).unwrap().nodes.iter().map(|node| &text[node.span.clone()]).collect()
    }

    #[test]
    fn a_node_takes_its_own_bytes_and_no_others() {
        assert_eq!(
            spans("ä: 'it''s' # c\r\nb: &x !t \"\\\"\" \r\nc: *x\r\n"),
            ["", "ä", "'it''s'", "b", "\"\\\"\"", "c", "*x"]
        );
        assert_eq!(spans("a: &x\n  b: !!str 1\n"), ["", "a", "", "b", "1"]);
        assert_eq!(spans("a: &x {b: \"c\", d: [e]}\n"), ["", "a", "{", "b", "\"c\"", "d", "[", "e"]);
        assert_eq!(spans("a: |\n  x\n\nb:\n"), ["", "a", "x\n\n", "b", ""]);
        assert_eq!(spans("a: x\n  y # z\n"), ["", "a", "x\n  y"]);
        let starts =
            |text: &str| Yaml::parse(text).unwrap().nodes.iter().map(|node| node.span.start).collect::<Vec<_>>();
        assert_eq!(starts("a:\n- - b\n- [c]\n"), [0, 0, 3, 5, 7, 11, 12]);
        assert_eq!(starts("a: &x\n  - !t\n    - -1\n"), [0, 0, 8, 17, 19]);
    }

    #[test]
    fn documents_with_something_in_them_are_the_items_of_the_root() {
        let text = "---\n# nothing\n---\na: 1\n---\n- b\n---\n";
        assert_eq!(Yaml::parse(text).unwrap_err().line, 3);
        let yaml = Yaml::parse_documents(text).unwrap();
        let root = yaml.root().unwrap();
        assert!(yaml.is_documents(root));
        let lines: Vec<_> = yaml.items(root).unwrap().iter().map(|&id| yaml.node(id).line).collect();
        assert_eq!(lines, [4, 6]);
        for text in ["a: 1\n", "---\na: 1\n---\n", "---\n---\na: 1\n...\n"] {
            let yaml = Yaml::parse_documents(text).unwrap();
            assert!(
                !yaml.is_documents(yaml.root().unwrap()) && yaml.entries(yaml.root().unwrap()).len() == 1,
                "{text}"
            );
        }
    }

    #[test]
    fn columns_are_those_of_the_content() {
        let yaml = Yaml::parse("a: &x b\nä: {ö: [c, d]}\r\n").unwrap();
        let columns: Vec<_> = yaml.nodes.iter().map(|node| node.column).collect();
        assert_eq!(columns, [0, 0, 6, 0, 3, 4, 7, 8, 11]);
    }
}

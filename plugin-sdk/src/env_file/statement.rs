//! One statement of a `.env` file: a line, or the lines of a quoted value.

use std::ops::Range;

use super::value;
use crate::Failure;

/// What may stand between the words of a line.
const BLANK: [char; 2] = [' ', '\t'];

/// A statement with its line end.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    text: String,
    assignment: Option<Assignment>,
}

/// Where the parts of `export KEY=value # comment` are.
#[derive(Debug, Clone)]
struct Assignment {
    key: Range<usize>,
    /// The value with its quotes; none for a bare `KEY` without `=`.
    value: Option<Range<usize>>,
}

impl Statement {
    /// The first statement of the text.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let line = text.find('\n').unwrap_or(text.len());
        let Some((key, value)) = key_and_value(&text[..line]) else {
            return Ok(Self { text: whole_lines(text, line), assignment: None });
        };
        let value = value.map(|start| value_at(text, start)).transpose()?;
        let end = value.as_ref().map_or(line, |value| value.end);
        Ok(Self { text: whole_lines(text, end), assignment: Some(Assignment { key, value }) })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The variable that the statement is about.
    pub(super) fn key(&self) -> Option<&str> {
        self.assignment.as_ref().map(|assignment| &self.text[assignment.key.clone()])
    }

    /// Writes another value, in the quoting style of the old one where that is possible.
    pub(super) fn set(&mut self, key: &str, new: &str) -> Result<(), Failure> {
        let Some(assignment) = &self.assignment else { return Ok(()) };
        let (range, written) = match &assignment.value {
            Some(range) => {
                let (old, after) = (&self.text[range.clone()], &self.text[range.end..]);
                (range.clone(), value::encode(key, new, Some(old), after)?)
            }
            None => {
                let end = assignment.key.end;
                (end..end, format!("={}", value::encode(key, new, None, &self.text[end..])?))
            }
        };
        self.text.replace_range(range, &written);
        *self = Self::parse(&self.text)?;
        Ok(())
    }

    /// Adds the line end that a last line lacks.
    pub(super) fn push(&mut self, line_end: &str) {
        self.text.push_str(line_end);
    }
}

/// The text up to the end of the line that this byte is on.
fn whole_lines(text: &str, at: usize) -> String {
    let end = text[at..].find('\n').map_or(text.len(), |feed| at + feed + 1);
    text[..end].to_owned()
}

/// Where the key of a line is, and where its value starts if there is an equals sign.
fn key_and_value(line: &str) -> Option<(Range<usize>, Option<usize>)> {
    let mut start = line.len() - line.trim_start_matches(BLANK).len();
    if let Some(rest) = line[start..].strip_prefix("export").filter(|rest| rest.starts_with(BLANK)) {
        start = line.len() - rest.trim_start_matches(BLANK).len();
    }
    let word = line[start..].find(|c: char| c.is_whitespace() || "=#'\"".contains(c));
    let end = word.map_or(line.len(), |length| start + length);
    let rest = line[end..].trim_start();
    match rest.strip_prefix('=') {
        _ if start == end => None,
        Some(_) => Some((start..end, Some(line.len() - rest.len() + 1))),
        None if rest.is_empty() => Some((start..end, None)),
        None => (rest.starts_with('#') && line[end..].starts_with(BLANK)).then_some((start..end, None)),
    }
}

/// Where the value is that starts after the equals sign.
fn value_at(text: &str, after_equals: usize) -> Result<Range<usize>, Failure> {
    let line = text[after_equals..].find('\n').map_or(text.len(), |feed| after_equals + feed);
    let start = line - text[after_equals..line].trim_start_matches(BLANK).len();
    let Some(quote) = text[start..line].chars().next().filter(|c| "'\"`".contains(*c)) else {
        return Ok(plain(text, after_equals, start, line));
    };
    match closing(text, start, quote) {
        Some(end) if is_over(&text[end..]) => Ok(start..end),
        // Such as `A="x"y`, which a shell takes as one word.
        Some(end) if end <= line => Ok(plain(text, after_equals, start, line)),
        _ => Err(Failure::bad_target(format!("the value that starts with {quote} here is never closed"))
            .help("Close the quote, so that it is clear where the value ends.")),
    }
}

/// The value of a line without quotes: up to a comment or the end, without the blanks before that.
fn plain(text: &str, after_equals: usize, start: usize, line: usize) -> Range<usize> {
    let value = &text[start..line];
    if value.trim_end().is_empty() || (value.starts_with('#') && start > after_equals) {
        return after_equals..after_equals;
    }
    let comment = value.match_indices('#').map(|(at, _)| at).find(|&at| value[..at].ends_with(BLANK));
    start..start + value[..comment.unwrap_or(value.len())].trim_end().len()
}

/// The byte after the closing quote. In double quotes a backslash takes the next character's meaning away.
fn closing(text: &str, start: usize, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text[start..].char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return Some(start + at + 1),
            _ => {}
        }
    }
    None
}

/// Whether nothing but blanks and a comment follows on the line.
fn is_over(rest: &str) -> bool {
    let rest = rest.split('\n').next().unwrap_or_default().trim();
    rest.is_empty() || rest.starts_with('#')
}

//! An answer of aligned lines, each under a word that says what it is about.

use std::fmt;

use crate::document::harmless_line;

/// The longest line, in characters. Command lines can be of any length, and only their beginning is informative. What to do is never cut.
const LONGEST: usize = 160;

/// A first line, lines with a word before each, headings between them, and a last line.
#[derive(Debug)]
pub(crate) struct Sections {
    first: String,
    lines: Vec<Line>,
    last: String,
}

#[derive(Debug)]
struct Line {
    /// None for a heading.
    word: String,
    text: String,
    is_whole: bool,
}

impl Sections {
    pub(crate) fn new(first: String) -> Self {
        Self { first, lines: Vec::new(), last: String::new() }
    }

    pub(crate) fn line(&mut self, word: &str, text: String) {
        self.lines.push(Line { word: word.to_owned(), text, is_whole: false });
    }

    /// What helps, below the line that it is about.
    pub(crate) fn remedy(&mut self, remedy: &str) {
        self.lines.push(Line { word: " ".to_owned(), text: format!("do: {remedy}"), is_whole: true });
    }

    /// The line, if there is any text.
    pub(crate) fn optional_line(&mut self, word: &str, text: String) {
        if !text.is_empty() {
            self.line(word, text);
        }
    }

    pub(crate) fn heading(&mut self, text: String) {
        self.lines.push(Line { word: String::new(), text, is_whole: false });
    }

    pub(crate) fn end(&mut self, text: String) {
        self.last = text;
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|line| line.word.chars().count()).max().unwrap_or(0);
        writeln!(f, "{}", one_line(&self.first))?;
        for Line { word, text, is_whole } in &self.lines {
            let text = if *is_whole { harmless_line(text) } else { one_line(text) };
            match word.as_str() {
                "" => writeln!(f, "  {text}")?,
                word => writeln!(f, "    {word:width$}  {text}")?,
            }
        }
        if self.last.is_empty() { Ok(()) } else { writeln!(f, "{}", harmless_line(&self.last)) }
    }
}

/// Without what could drive a terminal or break the line, and not longer than a line should be.
fn one_line(text: &str) -> String {
    let clean = harmless_line(text);
    match clean.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &clean[..end]),
        None => clean,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_aligned_and_lines_stay_lines() {
        let mut text = Sections::new("8080 is taken".into());
        text.line("listening", "a\nb\u{1b}[31m".into());
        text.heading("node (pid 7)".into());
        text.line("user", "x".repeat(LONGEST + 1));
        text.optional_line("directory", String::new());
        text.remedy(&"y".repeat(LONGEST + 1));
        text.end("do: nothing".into());
        let (long, whole) = ("x".repeat(LONGEST), "y".repeat(LONGEST + 1));
        assert_eq!(
            text.to_string(),
            format!(
                "8080 is taken\n    listening  a b\u{fffd}[31m\n  node (pid 7)\n    user       {long}…\n               do: {whole}\ndo: nothing\n"
            )
        );
    }
}

//! An answer of aligned lines, each under a word that says what it is about.

use std::fmt;

use super::printer::sanitise;

/// The longest line, in characters. Command lines can be of any length, and only their beginning tells something.
const LONGEST: usize = 160;

/// A first line, lines with a word before each, headings between them, and a last line.
#[derive(Debug)]
pub(crate) struct Sections {
    first: String,
    lines: Vec<(String, String)>,
    last: String,
}

impl Sections {
    pub(crate) fn new(first: String) -> Self {
        Self { first, lines: Vec::new(), last: String::new() }
    }

    pub(crate) fn line(&mut self, word: &str, text: String) {
        self.lines.push((word.to_owned(), text));
    }

    /// The line, if there is any text.
    pub(crate) fn optional_line(&mut self, word: &str, text: String) {
        if !text.is_empty() {
            self.line(word, text);
        }
    }

    pub(crate) fn heading(&mut self, text: String) {
        self.lines.push((String::new(), text));
    }

    pub(crate) fn end(&mut self, text: String) {
        self.last = text;
    }
}

impl fmt::Display for Sections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.lines.iter().map(|(word, _)| word.chars().count()).max().unwrap_or(0);
        writeln!(f, "{}", one_line(&self.first))?;
        for (word, text) in &self.lines {
            match word.as_str() {
                "" => writeln!(f, "  {}", one_line(text))?,
                word => writeln!(f, "    {word:width$}  {}", one_line(text))?,
            }
        }
        if self.last.is_empty() { Ok(()) } else { writeln!(f, "{}", one_line(&self.last)) }
    }
}

/// Without what could drive a terminal or break the line, and not longer than a line should be.
pub(crate) fn one_line(text: &str) -> String {
    let clean = sanitise(text).replace(['\n', '\t'], " ");
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
        text.end("do: nothing".into());
        let long = "x".repeat(LONGEST);
        assert_eq!(
            text.to_string(),
            format!(
                "8080 is taken\n    listening  a b\u{fffd}[31m\n  node (pid 7)\n    user       {long}…\ndo: nothing\n"
            )
        );
    }
}

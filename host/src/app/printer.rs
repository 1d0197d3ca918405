//! The one owner of stdout and stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::Format;
use super::streams::stdout_is_open;
use crate::document::{harmless, harmless_line, harmless_lines};

/// Prints answers to stdout, and everything else to stderr.
#[derive(Debug)]
pub(crate) struct Printer {
    format: Option<Format>,
    quiet: bool,
}

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

impl Printer {
    pub(crate) fn new(format: Option<Format>, quiet: bool) -> Self {
        Self { format, quiet }
    }

    /// The format that was asked for, else a table on a terminal and JSON elsewhere.
    pub(crate) fn format(&self) -> Format {
        let terminal = || if io::stdout().is_terminal() { Format::Table } else { Format::Json };
        self.format.unwrap_or_else(terminal)
    }

    /// The format that was asked for, else JSON.
    pub(crate) fn format_or_json(&self) -> Format {
        self.format.unwrap_or(Format::Json)
    }

    /// The format that was asked for, else text, on a terminal or not.
    pub(crate) fn format_or_text(&self) -> Format {
        self.format.unwrap_or(Format::Table)
    }

    /// A line of the answer. What others wrote in it cannot drive the terminal, or begin a line of its own.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        self.text(format_args!("{}\n", harmless_line(&text.to_string())))
    }

    /// Text of the answer, as it is: ours, or cleaned by the code that laid it out. A reader that went away is no failure.
    pub(crate) fn text(&self, text: impl Display) -> io::Result<()> {
        stdout_is_open()?;
        let mut stdout = anstream::stdout().lock();
        read_enough(write!(stdout, "{text}").and_then(|()| stdout.flush()))
    }

    /// A patch. A program gets it byte for byte, so that it can be applied; a terminal gets its lines cleaned.
    pub(crate) fn patch(&self, patch: &str) -> io::Result<()> {
        if io::stdout().is_terminal() {
            return self.text(harmless_lines(patch));
        }
        write_all(patch.as_bytes())
    }

    /// An answer as one line of JSON.
    pub(crate) fn json(&self, answer: &impl Serialize) -> io::Result<()> {
        Self::json_text(serde_json::to_string(answer)?)
    }

    /// An answer as JSON on several lines.
    pub(crate) fn pretty_json(&self, answer: &impl Serialize) -> io::Result<()> {
        Self::json_text(serde_json::to_string_pretty(answer)?)
    }

    /// JSON has no raw escape sequences, but may have other characters that a terminal obeys. There they are escaped, which means the same.
    fn json_text(mut text: String) -> io::Result<()> {
        if io::stdout().is_terminal() {
            text = escaped(&text);
        }
        text.push('\n');
        write_all(text.as_bytes())
    }

    /// Several answers: a JSON array, or one JSON line each.
    pub(crate) fn json_list(&self, format: Format, answers: &[impl Serialize]) -> io::Result<()> {
        match format {
            Format::Jsonl => answers.iter().try_for_each(|answer| self.json(answer)),
            _ => self.json(&answers),
        }
    }

    /// Something that the user should know, though it worked.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            to_stderr(format_args!("{}", indented(&text.to_string())));
        }
    }

    /// A line that a question is about.
    pub(crate) fn about(&self, text: impl Display) {
        to_stderr(format_args!("{}", harmless_line(&text.to_string())));
    }

    /// An answer that is no answer for stdout: the lines that scripts know from other tools.
    pub(crate) fn lines_to_stderr(&self, text: impl Display) {
        to_stderr(format_args!("{}", harmless_lines(&text.to_string())));
    }

    /// Text that was laid out, and cleaned, elsewhere.
    pub(crate) fn laid_out_to_stderr(&self, text: &str) {
        let _ = write!(anstream::stderr().lock(), "{text}");
    }

    /// A question, on one line of stderr, and the cursor stays behind it.
    pub(crate) fn prompt(&self, text: impl Display) {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{}", harmless_line(&text.to_string())).and_then(|()| stderr.flush());
    }

    /// Something that the user should look at, though it worked.
    pub(crate) fn warn(&self, text: impl Display) {
        to_stderr(format_args!("{WARNING}warning:{WARNING:#} {}", indented(&text.to_string())));
    }

    /// Why it did not work.
    pub(crate) fn error(&self, text: impl Display) {
        to_stderr(format_args!("{ERROR}error:{ERROR:#} {}", indented(&text.to_string())));
    }

    /// What helps, after [`error`](Self::error).
    pub(crate) fn hint(&self, text: impl Display) {
        to_stderr(format_args!("hint: {}", indented(&text.to_string())));
    }
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    stdout_is_open()?;
    let mut stdout = io::stdout().lock();
    read_enough(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// The reader has read enough: `portkeeper status | head -1`.
fn read_enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// When stderr is closed, there is nowhere to report it.
fn to_stderr(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Text that may hold what others wrote. Only its first line begins at the margin: what looks like a line of ours, is one.
fn indented(text: &str) -> String {
    harmless_lines(text).replace('\n', "\n  ")
}

/// JSON without characters that a terminal obeys, with the same meaning. Line feeds stand between its parts, never in them.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || harmless(c) == c {
            text.push(c);
        } else {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_begins_no_line() {
        assert_eq!(indented("a\u{1b}[31mb\nhint: c\u{9b}d"), "a\u{fffd}[31mb\n  hint: c\u{fffd}d");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = serde_json::json!({ "a\u{9b}": ["\u{202e}\u{e0041}π\n", { "b": "\u{7f}" }] });
        for json in [value.to_string(), format!("{value:#}")] {
            let escaped = escaped(&json);
            assert!(escaped.chars().all(|c| c == '\n' || harmless(c) == c), "{escaped}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), value);
        }
    }
}

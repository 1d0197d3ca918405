//! The one owner of stdout and stderr.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::args::Format;
use crate::document::harmless;

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

    /// A line of the answer.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        self.text(format_args!("{text}\n"))
    }

    /// A line of the answer that holds text of others.
    pub(crate) fn safe_line(&self, text: impl Display) -> io::Result<()> {
        self.line(sanitise(&text.to_string()).replace('\n', " "))
    }

    /// Text of the answer, as it is. A reader that went away is no failure.
    pub(crate) fn text(&self, text: impl Display) -> io::Result<()> {
        let mut stdout = anstream::stdout().lock();
        read_enough(write!(stdout, "{text}").and_then(|()| stdout.flush()))
    }

    /// An answer as one line of JSON.
    pub(crate) fn json(&self, answer: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(answer)?;
        line.push(b'\n');
        // JSON has no escape sequences that a terminal's colours would have to be taken out of: a long answer is not searched for them.
        let mut stdout = io::stdout().lock();
        read_enough(stdout.write_all(&line).and_then(|()| stdout.flush()))
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
            to_stderr(format_args!("{}", sanitise(&text.to_string())));
        }
    }

    /// An answer that is no answer for stdout, as it is: the lines that scripts know from other tools.
    pub(crate) fn lines_to_stderr(&self, text: impl Display) {
        to_stderr(format_args!("{}", sanitise(&text.to_string())));
    }

    /// A question, or what it is about: on stderr, and the cursor stays behind it.
    pub(crate) fn prompt(&self, text: impl Display) {
        let mut stderr = anstream::stderr().lock();
        let _ = write!(stderr, "{}", sanitise(&text.to_string())).and_then(|()| stderr.flush());
    }

    /// Something that the user should look at, though it worked.
    pub(crate) fn warn(&self, text: impl Display) {
        to_stderr(format_args!("{WARNING}warning:{WARNING:#} {}", sanitise(&text.to_string())));
    }

    /// Why it did not work.
    pub(crate) fn error(&self, text: impl Display) {
        to_stderr(format_args!("{ERROR}error:{ERROR:#} {}", sanitise(&text.to_string())));
    }
}

/// Whoever reads has read enough: `portkeeper status | head -1`.
fn read_enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// There is nobody to tell when stderr is closed.
fn to_stderr(text: std::fmt::Arguments<'_>) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Takes control characters out of text that others wrote (owners, file names, plugins), so that it cannot drive a terminal.
pub(crate) fn sanitise(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { harmless(c) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_drive_the_terminal() {
        assert_eq!(sanitise("a\u{1b}[31mb\nc\u{9b}d"), "a\u{fffd}[31mb\nc\u{fffd}d");
    }
}

//! Help and errors that the parser of the command line has laid out.

use std::ffi::OsString;
use std::io;

use super::Printer;
use crate::document::{harmless, harmless_line, harmless_lines};

/// Prints what the parser has to say of the words. What drives a terminal in them is replaced before: `again` parses words anew.
///
/// # Errors
/// Help or version cannot be written to standard output.
pub(crate) fn print_parser_text(
    error: &clap::Error,
    words: &[OsString],
    again: impl FnOnce(&[OsString]) -> Option<clap::Error>,
) -> io::Result<()> {
    let harmless_words: Vec<_> = words.iter().map(harmless_word).collect();
    let of_harmless_words = if harmless_words == words { None } else { again(&harmless_words) };
    let text = of_harmless_words.as_ref().unwrap_or(error).render();
    let styled = text.ansi().to_string();
    let text = if is_harmless_but_for_styles(&styled) { styled } else { harmless_lines(&text.to_string()) };
    let printer = Printer::new(None, false);
    if error.use_stderr() {
        printer.laid_out_to_stderr(&text);
        return Ok(());
    }
    printer.text(text)
}

fn harmless_word(word: &OsString) -> OsString {
    let text = word.to_string_lossy();
    let harmless = harmless_line(&text);
    if harmless == text { word.clone() } else { harmless.into() }
}

/// Whether nothing in the text drives a terminal but colors and weights (SGR, ECMA-48).
fn is_harmless_but_for_styles(text: &str) -> bool {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        let style = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        let Some(next) = style.strip_prefix('m').filter(|_| is_harmless(before)) else { return false };
        rest = next;
    }
    is_harmless(rest)
}

fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || c == '\t' || harmless(c) == c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_told_from_what_drives_a_terminal() {
        for text in ["", "plain\n\ttext", "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m x"] {
            assert!(is_harmless_but_for_styles(text), "{text:?}");
        }
        for text in ["\u{1b}", "\u{1b}[2J", "\u{1b}[1m\u{1b}]0;title\u{7}", "a\rb", "\u{1b}[1mb\u{202e}"] {
            assert!(!is_harmless_but_for_styles(text), "{text:?}");
        }
    }
}

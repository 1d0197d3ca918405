//! A plugin's words, made safe to show.

use super::limits;
use crate::document::harmless;

/// A text of several lines, for a terminal: without control characters other than line feed and tab, without the characters
/// that change the direction of what follows (UAX #9), and not longer than a message may be.
pub(super) fn message(text: &str) -> String {
    shorten(text.chars().map(|c| if c == '\n' || c == '\t' { c } else { harmless(c) }))
}

/// The same in one line: for names, versions and codes.
pub(super) fn line(text: &str) -> String {
    shorten(text.chars().map(|c| if c.is_whitespace() { ' ' } else { harmless(c) }))
}

fn shorten(chars: impl Iterator<Item = char>) -> String {
    let mut chars = chars;
    let mut text: String = chars.by_ref().take(limits::MESSAGE).collect();
    if chars.next().is_some() {
        text.push('…');
    }
    text
}

/// A large number for people: `20,000,000`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_groups() {
        assert_eq!([0, 999, 1_000, 20_000_000].map(grouped), ["0", "999", "1,000", "20,000,000"]);
    }

    #[test]
    fn what_commands_a_terminal_is_replaced() {
        assert_eq!(message("a\u{1b}[31mb\r\u{7f}\u{9b}\0"), "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}\u{fffd}");
        assert_eq!(message("user\u{202e}txt.exe"), "user\u{fffd}txt.exe");
    }

    #[test]
    fn words_of_any_language_and_their_lines_stay() {
        assert_eq!(message("Zeile 1\n\tπ ≈ 3 🙂"), "Zeile 1\n\tπ ≈ 3 🙂");
        assert_eq!(line("one\ntwo\tthree"), "one two three");
    }

    #[test]
    fn a_flood_is_cut_off() {
        assert_eq!(line(&"é".repeat(1_000_000)).chars().count(), limits::MESSAGE + 1);
        assert_eq!(line(&"é".repeat(limits::MESSAGE)).chars().count(), limits::MESSAGE);
    }
}

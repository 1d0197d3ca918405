//! Text of others, made safe to show.

/// The character, or U+FFFD in place of one that drives a terminal: control characters, and those that change the direction of
/// what follows (UAX #9).
#[must_use]
pub fn harmless(c: char) -> char {
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if c.is_control() || turns_direction { char::REPLACEMENT_CHARACTER } else { c }
}

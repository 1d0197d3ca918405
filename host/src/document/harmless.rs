//! Text of others, made safe to show: what a repository, a plugin, a process or another host has written must not drive a terminal, nor
//! look like what it is not.

/// The character, or U+FFFD in place of one that drives a terminal (control characters), that changes the direction of what follows
/// (UAX #9), or that is not seen at all. The joiners of scripts and emoji stay (U+200C, U+200D).
#[must_use]
pub fn harmless(c: char) -> char {
    let turns_direction =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_invisible = matches!(c,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    if c.is_control() || turns_direction || is_invisible { char::REPLACEMENT_CHARACTER } else { c }
}

/// The text with its lines and tabs, and otherwise only harmless characters. Fit for what has lines of its own: a diff.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { c } else { harmless(c) }).collect()
}

/// The same in one line: fit for a name, a path or a command between words of ours.
#[must_use]
pub fn harmless_line(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { harmless(c) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_turns_text_or_hides_is_replaced() {
        for bad in "\u{1b}\r\u{8}\u{7f}\u{9b}\0\u{202e}\u{200b}\u{feff}\u{2028}\u{e0041}\u{ad}".chars() {
            assert_eq!(harmless(bad), char::REPLACEMENT_CHARACTER, "{bad:?}");
        }
        assert_eq!(harmless_lines("a\u{1b}[31mb\nc\td\u{9b}"), "a\u{fffd}[31mb\nc\td\u{fffd}");
        assert_eq!(harmless_line("a\nb\tc\rd"), "a b c\u{fffd}d");
    }

    #[test]
    fn words_of_any_language_stay() {
        let words = "Zeile π ≈ 3 \u{645}\u{6cc}\u{200c}\u{62e} 👨\u{200d}👩";
        assert_eq!(harmless_line(words), words);
    }
}

//! Line ends, the byte order mark, and what else an owner's text must keep.

/// The byte order mark that some Windows editors put before a text.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LineEnd {
    /// A line feed, as everywhere but on Windows.
    #[default]
    Lf,
    /// A carriage return and a line feed.
    CrLf,
}

impl LineEnd {
    /// What most of the text's lines end with; a line feed in a text of one line.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let both = text.matches("\r\n").count();
        let feeds = text.matches('\n').count();
        if both * 2 > feeds { Self::CrLf } else { Self::Lf }
    }

    /// The characters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "\n",
            Self::CrLf => "\r\n",
        }
    }
}

/// The text without a byte order mark, and the mark (empty when there is none).
#[must_use]
pub fn split_mark(text: &str) -> (&str, &str) {
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    text.split_at(mark)
}

/// The lines of a text, each without its end and with it: joining the latter gives the text again.
pub fn lines(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split_inclusive('\n').map(|whole| (without_end(whole), whole))
}

/// The line without its line feed, and the carriage return before that.
#[must_use]
pub fn without_end(line: &str) -> &str {
    line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// The number of the line that holds this byte, counted from 1.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_of_lines_decides() {
        assert_eq!(LineEnd::of("a\r\nb\r\nc\n"), LineEnd::CrLf);
        assert_eq!(LineEnd::of("a\nb\r\n"), LineEnd::Lf);
        assert_eq!(LineEnd::of(""), LineEnd::Lf);
    }

    #[test]
    fn a_mark_is_split_off() {
        assert_eq!(split_mark("\u{feff}a"), ("\u{feff}", "a"));
        assert_eq!(split_mark("a"), ("", "a"));
    }

    #[test]
    fn lines_come_with_and_without_their_end() {
        let all: Vec<_> = lines("a\r\nb\nc").collect();
        assert_eq!(all, [("a", "a\r\n"), ("b", "b\n"), ("c", "c")]);
    }

    #[test]
    fn lines_are_counted_from_1() {
        assert_eq!(line_of("a\nb\nc", 0), 1);
        assert_eq!(line_of("a\nb\nc", 2), 2);
        assert_eq!(line_of("a\nb\nc", 99), 3);
    }
}

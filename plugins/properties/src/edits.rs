//! Changes of a text, planned on what it was and made together.

use std::ops::Range;

use portkeeper_plugin_sdk::text::LineEnd;

use crate::Meaning;

/// What to change, what the file says afterwards, and lines that the owner should look at.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) edits: Edits,
    pub(crate) expected: Meaning,
    pub(crate) warnings: Vec<(usize, String)>,
}

/// Changes by place. Of several at one place, those that were planned first come first.
#[derive(Debug, Default)]
pub(crate) struct Edits(Vec<(Range<usize>, Change)>);

#[derive(Debug)]
enum Change {
    /// These bytes become this text.
    Replace(String),
    /// A line of its own, without its end, stands here.
    Line(String),
}

impl Edits {
    pub(crate) fn replace(&mut self, range: Range<usize>, text: String) {
        self.0.push((range, Change::Replace(text)));
    }

    /// Puts a line where another starts, or at the end of the text.
    pub(crate) fn insert_line(&mut self, at: usize, line: String) {
        self.0.push((at..at, Change::Line(line)));
    }

    /// The text with all changes. A text without a final line end keeps having none.
    pub(crate) fn apply(mut self, old: &str) -> String {
        let end = LineEnd::of(old).as_str();
        self.0.sort_by_key(|(range, _)| range.start);
        let mut new = String::with_capacity(old.len() + 64 * self.0.len());
        let mut at = 0;
        let mut last_line_is_ours = false;
        for (range, change) in self.0 {
            new.push_str(&old[at..range.start]);
            at = range.end;
            match change {
                Change::Replace(text) => new.push_str(&text),
                Change::Line(line) => {
                    if !new.is_empty() && !new.ends_with('\n') {
                        new.push_str(end);
                    }
                    new.push_str(&line);
                    new.push_str(end);
                    last_line_is_ours = range.start == old.len();
                }
            }
        }
        new.push_str(&old[at..]);
        if last_line_is_ours && !old.is_empty() && !old.ends_with('\n') {
            new.truncate(new.len() - end.len());
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_alone_and_a_missing_last_line_end_stays_missing() {
        let with = |old: &str, lines: &[&str]| {
            let mut edits = Edits::default();
            lines.iter().for_each(|line| edits.insert_line(old.len(), (*line).to_owned()));
            edits.apply(old)
        };
        assert_eq!(with("", &["a", "b"]), "a\nb\n");
        assert_eq!(with("x\r\ny", &["a", "b"]), "x\r\ny\r\na\r\nb");
        assert_eq!(with("x\n", &["a"]), "x\na\n");
        assert_eq!(with("x", &[]), "x");
    }

    #[test]
    fn changes_are_made_in_the_order_of_the_text() {
        let mut edits = Edits::default();
        edits.replace(4..5, "z".to_owned());
        edits.insert_line(2, "new".to_owned());
        edits.replace(0..1, "x".to_owned());
        assert_eq!(edits.apply("a\nb c"), "x\nnew\nb z");
    }
}

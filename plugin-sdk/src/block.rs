//! Blocks between marker comments: the part of an owner's file that is ours.
//!
//! ```
//! use portkeeper_plugin_sdk::block::Markers;
//!
//! let markers = Markers::line_comments("#", "do not edit");
//! let block = markers.wrap("  ", "\n", &["ports:".to_owned()]);
//! assert_eq!(block, "  # portkeeper:begin do not edit\n  ports:\n  # portkeeper:end\n");
//! let text = format!("mine\n{block}mine too\n");
//! let found = markers.find(&text).unwrap();
//! assert_eq!(&text[found[0].clone()], block);
//! ```

use std::ops::Range;

use crate::{Failure, text};

const BEGIN: &str = "portkeeper:begin";
const END: &str = "portkeeper:end";

/// The two comments around a block.
#[derive(Debug, Clone)]
pub struct Markers {
    comment: String,
    note: String,
}

impl Markers {
    /// Markers as comments that run to the end of the line, such as `#` or `//`. The note follows the begin marker, for people;
    /// a block with another note is found all the same.
    #[must_use]
    pub fn line_comments(comment: &str, note: &str) -> Self {
        Self { comment: comment.to_owned(), note: note.to_owned() }
    }

    /// The lines between the markers, each indented, each with this line end.
    #[must_use]
    pub fn wrap(&self, indent: &str, line_end: &str, lines: &[String]) -> String {
        let comment = &self.comment;
        let begin = format!("{indent}{comment} {BEGIN} {}", self.note);
        let mut block = format!("{}{line_end}", begin.trim_end());
        for line in lines {
            block.extend([indent, line, line_end]);
        }
        block.extend([&format!("{indent}{comment} {END}"), line_end]);
        block
    }

    /// Where the blocks are: whole lines, from the begin marker's first byte to the end of the end marker's line.
    ///
    /// # Errors
    /// `bad-target` with the line of a marker that has no partner.
    pub fn find(&self, text: &str) -> Result<Vec<Range<usize>>, Failure> {
        let mut blocks = Vec::new();
        let mut open: Option<(usize, usize)> = None;
        let mut at = 0;
        for (number, (line, whole)) in (1..).zip(text::lines(text)) {
            match self.marker(line) {
                Some(BEGIN) if open.is_none() => open = Some((at, number)),
                Some(END) if open.is_some() => {
                    let (start, _) = open.take().unwrap_or_default();
                    blocks.push(start..at + whole.len());
                }
                Some(marker) => return Err(unpaired(marker, number)),
                None => {}
            }
            at += whole.len();
        }
        open.map_or(Ok(blocks), |(_, number)| Err(unpaired(BEGIN, number)))
    }

    /// The text with these lines in its block, in the place of what was there. A text without a block gets one at its end. Line ends
    /// are the text's own, and a text without a final line end keeps having none.
    ///
    /// # Errors
    /// `bad-target` with the line of a marker that has no partner, or of a second block.
    pub fn replace(&self, text: &str, lines: &[String]) -> Result<String, Failure> {
        let end = text::LineEnd::of(text).as_str();
        let block = self.wrap("", end, lines);
        let (before, after) = match self.find(text)?.as_slice() {
            [] => (text, ""),
            [found] => (&text[..found.start], &text[found.end..]),
            [_, second, ..] => return Err(second_block(text::line_of(text, second.start))),
        };
        let gap = if before.is_empty() || before.ends_with(['\n', text::BYTE_ORDER_MARK]) { "" } else { end };
        let new = format!("{before}{gap}{block}{after}");
        let keep_open = after.is_empty() && !text::split_mark(text).1.is_empty() && !text.ends_with('\n');
        Ok(if keep_open { text::without_end(&new).to_owned() } else { new })
    }

    /// Which marker the line is.
    fn marker(&self, line: &str) -> Option<&'static str> {
        let word = line.trim().strip_prefix(&self.comment)?.split_whitespace().next()?;
        [BEGIN, END].into_iter().find(|&marker| marker == word)
    }
}

fn unpaired(marker: &str, line: usize) -> Failure {
    Failure::bad_target(format!("`{marker}` stands here without its partner"))
        .line(line)
        .help("Put the missing marker back, or remove this one together with what portkeeper wrote.")
}

/// The refusal of a text with more than one block.
#[must_use]
pub fn second_block(line: usize) -> Failure {
    Failure::bad_target("portkeeper's block stands here a second time")
        .line(line)
        .help("Remove all but one of the blocks.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markers() -> Markers {
        Markers::line_comments("//", "")
    }

    #[test]
    fn a_block_is_found_whatever_its_note_indentation_and_line_ends() {
        let text = "a\r\n  // portkeeper:begin other words\r\nx\r\n//portkeeper:end\r\nb";
        let found = markers().find(text).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].clone()], "  // portkeeper:begin other words\r\nx\r\n//portkeeper:end\r\n");
    }

    #[test]
    fn a_marker_without_its_partner_is_a_failure_with_its_line() {
        for (text, line) in [
            ("a\n// portkeeper:begin\n", 2),
            ("// portkeeper:end\n", 1),
            ("// portkeeper:begin\n// portkeeper:begin\n// portkeeper:end", 2),
        ] {
            let failure = markers().find(text).unwrap_err();
            assert_eq!((failure.code.as_str(), failure.line), ("bad-target", Some(line)), "{text}");
        }
    }

    #[test]
    fn text_that_only_mentions_a_marker_is_no_marker() {
        assert!(markers().find("say // portkeeper:begin\n// portkeeper:beginning\n").unwrap().is_empty());
    }

    #[test]
    fn a_block_is_replaced_where_it_stands_and_else_goes_to_the_end() {
        let markers = Markers::line_comments("#", "");
        let put = |text: &str| markers.replace(text, &["x".to_owned()]).unwrap();
        let block = "# portkeeper:begin\n#x\n# portkeeper:end\n".replace("#x", "x");
        assert_eq!(put(""), block);
        assert_eq!(put("a\n"), format!("a\n{block}"));
        assert_eq!(put("a"), format!("a\n{}", block.trim_end()), "no final line end before, none after");
        assert_eq!(put("\u{feff}a\r\nb\r\n"), format!("\u{feff}a\nb\n{block}").replace('\n', "\r\n"));
        assert_eq!(put("a\n#portkeeper:begin old\n1\n2\n#portkeeper:end\nb"), format!("a\n{block}b"));
        assert_eq!(put(&put("a")), put("a"));
        let twice = format!("{block}{block}");
        assert_eq!(markers.replace(&twice, &[]).unwrap_err().line, Some(4));
    }
}

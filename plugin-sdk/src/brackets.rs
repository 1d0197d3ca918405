//! Lists and objects in brackets, edited in place: something is added behind the last item, or the last items go. Comments stay with the
//! items that stay.

use std::ops::Range;

/// How comments look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comments {
    /// `// ...` and `/* ... */`
    Slashes,
    /// `# ...`
    Hash,
}

/// What stands between items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between<'a> {
    /// A comma, and what follows it on the line.
    Line(&'a str),
    /// A comma, a line end and this indentation.
    Lines {
        /// The line end.
        end: &'a str,
        /// The blanks before an item.
        indent: &'a str,
    },
}

/// Brackets and what is in them.
#[derive(Debug, Clone)]
pub struct Brackets<'a> {
    /// The text around them as well.
    pub text: &'a str,
    /// The brackets' place in it.
    pub span: Range<usize>,
    /// How comments look in it.
    pub comments: Comments,
}

/// A piece of text to put in the place of another.
pub type Edit = (Range<usize>, String);

impl Brackets<'_> {
    /// Adds items behind the last one, which ends here.
    #[must_use]
    pub fn append(&self, last: usize, items: &[String], between: Between<'_>) -> Edit {
        let comma = self.comma_after(last);
        let at = comma.unwrap_or(last);
        match (between, comma) {
            (Between::Line(comma), None) => (at..at, items.iter().flat_map(|item| [comma, item]).collect()),
            (Between::Line(_), Some(_)) => (at..at, items.iter().map(|item| format!(" {item},")).collect()),
            (Between::Lines { end, indent }, comma) => {
                // A comment behind the last item stays behind it.
                let line = self.comments_end(at);
                let lines: Vec<_> = items.iter().map(|item| format!("{end}{indent}{item}")).collect();
                let (before, behind) = if comma.is_some() { ("", ",") } else { (",", "") };
                (at..line, format!("{before}{}{}{behind}", &self.text[at..line], lines.join(",")))
            }
        }
    }

    /// Puts items where there are none yet, behind the comments in the brackets. `outer` is the indentation of the closing one.
    #[must_use]
    pub fn fill(&self, items: &[String], between: Between<'_>, outer: &str) -> Edit {
        let inner = self.span.start + 1..self.span.end - 1;
        let comments = self.text[inner.clone()].trim_end();
        let text = match between {
            Between::Line(comma) if comments.is_empty() => items.join(comma),
            Between::Line(comma) => format!("{comments}\n{}", items.join(comma)),
            Between::Lines { end, indent } => {
                let items = items.join(&format!(",{end}{indent}"));
                format!("{comments}{end}{indent}{items}{end}{outer}")
            }
        };
        (inner, text)
    }

    /// Takes away the items behind the one that ends at `kept`, none for all of them. `last` is where the last one ends.
    #[must_use]
    pub fn truncate(&self, kept: Option<usize>, last: usize) -> Vec<Edit> {
        let Some(kept) = kept else { return vec![(self.span.start + 1..self.span.end - 1, String::new())] };
        let comma = self.comma_after(kept).unwrap_or(kept);
        let end = self.comma_after(last);
        let rest = self.comments_end(comma)..self.comments_end(end.unwrap_or(last));
        let mut edits = vec![(rest, String::new())];
        // As before, there is a comma behind the last one or not.
        if end.is_none() && comma > kept {
            edits.push((comma - 1..comma, String::new()));
        }
        edits
    }

    /// The byte after the comma that follows here.
    fn comma_after(&self, at: usize) -> Option<usize> {
        let at = self.skip(at, |c| c.is_ascii_whitespace()).0;
        self.text[at..self.span.end].starts_with(',').then_some(at + 1)
    }

    /// The end of the comments on the same line.
    fn comments_end(&self, at: usize) -> usize {
        self.skip(at, |c| matches!(c, ' ' | '\t' | '\r')).1
    }

    /// The first byte that is neither comment nor blank, and the end of the last comment before it.
    fn skip(&self, start: usize, is_blank: impl Fn(char) -> bool) -> (usize, usize) {
        let (mut at, mut done) = (start, start);
        loop {
            let rest = &self.text[at..self.span.end];
            match self.comment(rest) {
                Some(length) => {
                    at += length;
                    done = at;
                }
                None if rest.starts_with(&is_blank) => at += 1,
                None => return (at, done),
            }
        }
    }

    /// How long the comment is that the text starts with. A line's end does not belong to it.
    fn comment(&self, text: &str) -> Option<usize> {
        let line = || text.find('\n').map_or(text, |feed| &text[..feed]).trim_end_matches('\r').len();
        match self.comments {
            Comments::Hash => text.starts_with('#').then(line),
            Comments::Slashes if text.starts_with("/*") => Some(text.find("*/").map_or(text.len(), |end| end + 2)),
            Comments::Slashes => text.starts_with("//").then(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brackets(text: &str, comments: Comments) -> Brackets<'_> {
        Brackets { text, span: 0..text.len(), comments }
    }

    fn edited(text: &str, mut edits: Vec<Edit>) -> String {
        edits.sort_by_key(|(place, _)| std::cmp::Reverse(place.start));
        edits.into_iter().fold(text.to_owned(), |mut text, (place, new)| {
            text.replace_range(place, &new);
            text
        })
    }

    fn end_of(text: &str, item: &str) -> usize {
        text.find(item).unwrap() + item.len()
    }

    #[test]
    fn what_is_new_goes_behind_the_last_one_and_its_comment() {
        let lines = Between::Lines { end: "\n", indent: "  " };
        for (old, new, between, comments) in [
            ("[1]", "[1, 8, 9]", Between::Line(", "), Comments::Hash),
            ("[ 1, ]", "[ 1, 8, 9, ]", Between::Line(", "), Comments::Hash),
            ("[\n  1 # one\n]", "[\n  1, # one\n  8,\n  9\n]", lines, Comments::Hash),
            ("[\n  1, # one\r\n  # z\n]", "[\n  1, # one\n  8,\n  9,\r\n  # z\n]", lines, Comments::Hash),
            ("[\n  1 /* a */, // one\n]", "[\n  1 /* a */, // one\n  8,\n  9,\n]", lines, Comments::Slashes),
        ] {
            let items = ["8".to_owned(), "9".to_owned()];
            let edit = brackets(old, comments).append(end_of(old, "1"), &items, between);
            assert_eq!(edited(old, vec![edit]), new);
        }
    }

    #[test]
    fn what_goes_takes_its_comments_along_and_no_others() {
        for (old, new, comments) in [
            ("[1, 2, 3]", "[1]", Comments::Hash),
            ("[1, 2, 3, ]", "[1, ]", Comments::Hash),
            (
                "[\n  1, # one\n  2, # two\n  # of the last\n  3 # three\n  # end\n]",
                "[\n  1 # one\n  # end\n]",
                Comments::Hash,
            ),
            ("[\n  1, // one\n  2,\n  3, // three\n]", "[\n  1, // one\n]", Comments::Slashes),
            ("[\n  1 /* one */\n  , 2, 3]", "[\n  1 /* one */\n  ]", Comments::Slashes),
        ] {
            let edits = brackets(old, comments).truncate(Some(end_of(old, "1")), end_of(old, "3"));
            assert_eq!(edited(old, edits), new);
        }
        let all = "[ 1, # one\n 3 ]";
        assert_eq!(edited(all, brackets(all, Comments::Hash).truncate(None, end_of(all, "3"))), "[]");
    }
}

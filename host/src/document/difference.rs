//! How two versions of a text differ, line by line.

use std::fmt;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Hunk, InternedInput, Token};

/// The unchanged lines that are shown before and after a change.
const CONTEXT: u32 = 3;

/// What became of a text. It displays as the hunks of a unified diff with three lines around each change (diff(1), `-u`), without
/// the names of files.
pub struct Difference<'a> {
    lines: InternedInput<&'a str>,
    diff: Diff,
}

impl<'a> Difference<'a> {
    /// Compares two versions of a text.
    #[must_use]
    pub fn between(old: &'a str, new: &'a str) -> Self {
        let lines = InternedInput::new(old, new);
        let mut diff = Diff::compute(Algorithm::Histogram, &lines);
        diff.postprocess_lines(&lines);
        Self { lines, diff }
    }

    /// How many lines are new.
    #[must_use]
    pub fn added(&self) -> u32 {
        self.diff.count_additions()
    }

    /// How many lines are gone.
    #[must_use]
    pub fn removed(&self) -> u32 {
        self.diff.count_removals()
    }
}

impl fmt::Debug for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Difference").field("added", &self.added()).field("removed", &self.removed()).finish()
    }
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let changes: Vec<_> = self.diff.hunks().collect();
        // Changes whose context touches are shown as one.
        let mut groups = changes.chunk_by(|one, next| next.before.start - one.before.end <= 2 * CONTEXT);
        groups.try_for_each(|group| self.hunk(f, group))
    }
}

impl Difference<'_> {
    fn hunk(&self, f: &mut fmt::Formatter<'_>, changes: &[Hunk]) -> fmt::Result {
        let (Some(first), Some(last)) = (changes.first(), changes.last()) else { return Ok(()) };
        let (old, new) = (&self.lines.before, &self.lines.after);
        let lead = first.before.start.min(CONTEXT);
        let trail = (old.len() as u32 - last.before.end).min(CONTEXT);
        let before = first.before.start - lead..last.before.end + trail;
        let after = first.after.start - lead..last.after.end + trail;
        writeln!(f, "@@ -{} +{} @@", Place(&before), Place(&after))?;
        let mut position = before.start;
        for change in changes {
            self.write(f, ' ', old, position..change.before.start)?;
            self.write(f, '-', old, change.before.clone())?;
            self.write(f, '+', new, change.after.clone())?;
            position = change.before.end;
        }
        self.write(f, ' ', old, position..before.end)
    }

    /// The lines as patch(1) reads them: a last one without its newline is marked.
    fn write(&self, f: &mut fmt::Formatter<'_>, sign: char, text: &[Token], lines: Range<u32>) -> fmt::Result {
        text[lines.start as usize..lines.end as usize].iter().try_for_each(|&line| {
            let line = self.lines.interner[line];
            let end = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            write!(f, "{sign}{line}{end}")
        })
    }
}

/// Where lines are, as the head of a hunk says it.
struct Place<'a>(&'a Range<u32>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = *self.0;
        match end - start {
            // Lines count from 1, but a place without lines is named by the line before it.
            0 => write!(f, "{start},0"),
            1 => write!(f, "{}", start + 1),
            length => write!(f, "{},{length}", start + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_a_patch() {
        let difference = Difference::between("a\nb\nc\nd\ne\nf", "a\nb\nc\nd\ne\nF\n");
        assert_eq!(difference.to_string(), "@@ -3,4 +3,4 @@\n c\n d\n e\n-f\n\\ No newline at end of file\n+F\n");
        assert_eq!((difference.added(), difference.removed()), (1, 1));
    }

    #[test]
    fn changes_far_from_each_other_are_told_apart() {
        let old: String = (1..=20).map(|line| format!("{line}\n")).collect();
        let new = old.replace("2\n3\n", "2\nnew\n3\n").replace("10\n", "").replace("19\n", "x\n");
        let expected = "@@ -1,5 +1,6 @@\n 1\n 2\n+new\n 3\n 4\n 5\n@@ -7,7 +8,6 @@\n 7\n 8\n 9\n-10\n 11\n 12\n 13\n\
                        @@ -16,5 +16,5 @@\n 16\n 17\n 18\n-19\n+x\n 20\n";
        assert_eq!(Difference::between(&old, &new).to_string(), expected);
    }

    #[test]
    fn what_is_empty_is_named_by_the_line_before_it() {
        assert_eq!(Difference::between("", "a\n").to_string(), "@@ -0,0 +1 @@\n+a\n");
        assert_eq!(Difference::between("a\n", "").to_string(), "@@ -1 +0,0 @@\n-a\n");
        assert_eq!(Difference::between("a\n", "a\n").to_string(), "");
    }
}

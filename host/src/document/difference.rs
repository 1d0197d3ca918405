//! How two versions of a text differ, line by line.

use std::fmt;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token, UnifiedDiffConfig, UnifiedDiffPrinter};

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
        let printer = Lines(&self.lines.interner);
        self.diff.unified_diff(&printer, UnifiedDiffConfig::default(), &self.lines).fmt(f)
    }
}

/// Writes lines the way patch(1) reads them: a last line without its newline is marked.
struct Lines<'a>(&'a Interner<&'a str>);

impl Lines<'_> {
    fn write(&self, mut to: impl fmt::Write, sign: char, lines: &[Token]) -> fmt::Result {
        for &line in lines {
            let line = self.0[line];
            let end = if line.ends_with('\n') { "" } else { "\n\\ No newline at end of file\n" };
            write!(to, "{sign}{line}{end}")?;
        }
        Ok(())
    }
}

impl UnifiedDiffPrinter for Lines<'_> {
    fn display_header(
        &self,
        mut to: impl fmt::Write,
        old_start: u32,
        new_start: u32,
        old_length: u32,
        new_length: u32,
    ) -> fmt::Result {
        // Lines count from 1, but a place without lines is named by the line before it.
        let old_start = old_start + u32::from(old_length > 0);
        let new_start = new_start + u32::from(new_length > 0);
        writeln!(to, "@@ -{old_start},{old_length} +{new_start},{new_length} @@")
    }

    fn display_context_token(&self, to: impl fmt::Write, line: Token) -> fmt::Result {
        self.write(to, ' ', &[line])
    }

    fn display_hunk(&self, mut to: impl fmt::Write, old: &[Token], new: &[Token]) -> fmt::Result {
        self.write(&mut to, '-', old)?;
        self.write(&mut to, '+', new)
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
    fn what_is_empty_is_named_by_the_line_before_it() {
        assert_eq!(Difference::between("", "a\n").to_string(), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(Difference::between("a\n", "").to_string(), "@@ -1,1 +0,0 @@\n-a\n");
        assert_eq!(Difference::between("a\n", "a\n").to_string(), "");
    }
}

//! What would change, for people to read.

use std::fmt;

use imara_diff::{Algorithm, Diff, InternedInput, Interner, Token, UnifiedDiffConfig, UnifiedDiffPrinter};

use super::file_set::Planned;

/// A unified diff of one file, with three lines around each change. The text of a sensitive file stays out of it.
pub(super) fn diff(file: &Planned, new: &str) -> String {
    let old = file.old.as_deref().unwrap_or_default();
    let name = file.target.shown();
    let old_name = if file.old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
    let lines = InternedInput::new(old, new);
    let mut difference = Diff::compute(Algorithm::Histogram, &lines);
    let changes = if file.sensitive {
        let (added, removed) = (difference.count_additions(), difference.count_removals());
        format!("# sensitive: {added} lines added, {removed} removed, not shown\n")
    } else {
        difference.postprocess_lines(&lines);
        difference.unified_diff(&Lines(&lines.interner), UnifiedDiffConfig::default(), &lines).to_string()
    };
    format!("--- {old_name}\n+++ b/{name}\n{changes}")
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

//! What came of a corpus, as counts.

use std::fmt;
use std::time::Duration;

use super::edits::Edit;
use super::tree::ITEM;

/// What came of one edit.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Only the meant path reads differently.
    Right { lines: usize },
    /// Nothing was written, for this reason.
    Refused(String),
    /// Something else than meant.
    Wrong(String),
    /// A file that its reader refuses was written, as the format reads it.
    Unread,
    /// The plugin crashed or met a limit.
    Broken(String),
}

/// A file to look at by hand.
#[derive(Debug, Clone)]
pub struct Finding {
    /// `refused`, `wrong`, `broken` or `unread and written`.
    pub result: &'static str,
    /// The file.
    pub name: String,
    /// The edit.
    pub edit: String,
    /// Why.
    pub reason: String,
}

/// Counts of all files and edits.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that are text.
    pub files: usize,
    /// Files that are no UTF-8 text.
    pub not_text: usize,
    /// Files that the reader refuses, or that are no mapping.
    pub unread: usize,
    /// Of those: written all the same, so that the reader still refuses them.
    pub unread_written: usize,
    /// Edits of the others.
    pub edits: usize,
    /// Edits after which only the meant path reads differently, and a second run writes nothing.
    pub right: usize,
    /// Of those: more than one line differs in an edit of one value.
    pub several_lines: usize,
    /// Edits that were refused.
    pub refused: usize,
    /// Edits that changed something else, or cannot be read, or are written again.
    pub wrong: usize,
    /// Calls in which the plugin crashed or met a limit.
    pub broken: usize,
    /// How often the plugin was called.
    pub calls: usize,
    /// All calls together.
    pub time: Duration,
    /// All calls together: the same on every machine.
    pub fuel: u64,
    /// The most that one call took.
    pub most_fuel: u64,
    /// What to look at.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn took(&mut self, time: Duration, fuel: u64) {
        self.calls += 1;
        self.time += time;
        self.fuel += fuel;
        self.most_fuel = self.most_fuel.max(fuel);
    }

    pub(super) fn unreadable(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Outcome::Unread => {
                self.unread_written += 1;
                self.find("unread and written", name, "a new key", String::new());
            }
            Outcome::Wrong(reason) => {
                self.wrong += 1;
                self.find("wrong", name, "a new key", reason);
            }
            Outcome::Broken(reason) => {
                self.broken += 1;
                self.find("broken", name, "a new key", reason);
            }
            Outcome::Right { .. } | Outcome::Refused(_) => {}
        }
    }

    pub(super) fn edit(&mut self, name: &str, edit: &Edit, outcome: Outcome) {
        self.edits += 1;
        let what = format!("{} `{}`", edit.kind, edit.path.join(".").replace(ITEM, ""));
        match outcome {
            Outcome::Right { lines } => {
                self.right += 1;
                self.several_lines += usize::from(lines > 1 && !edit.kind.starts_with("new"));
            }
            Outcome::Refused(reason) => {
                self.refused += 1;
                self.find("refused", name, &what, reason);
            }
            Outcome::Wrong(reason) => {
                self.wrong += 1;
                self.find("wrong", name, &what, reason);
            }
            Outcome::Unread => self.wrong += 1,
            Outcome::Broken(reason) => {
                self.broken += 1;
                self.find("broken", name, &what, reason);
            }
        }
    }

    fn find(&mut self, result: &'static str, name: &str, edit: &str, reason: String) {
        self.findings.push(Finding { result, name: name.to_owned(), edit: edit.to_owned(), reason });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files ({} not text), {} edits: {} right ({} of one value over several lines), {} refused, {} wrong, {} broken; \
             {} files that the reader refuses or that are no mapping, {} of them written and still refused; \
             {} calls, {:.1} s, {} million instructions, at most {} million in one",
            self.files,
            self.not_text,
            self.edits,
            self.right,
            self.several_lines,
            self.refused,
            self.wrong,
            self.broken,
            self.unread,
            self.unread_written,
            self.calls,
            self.time.as_secs_f64(),
            self.fuel / 1_000_000,
            self.most_fuel / 1_000_000,
        )
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}: {}", self.result, self.name, self.edit, self.reason)
    }
}

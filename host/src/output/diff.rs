//! What would change, for people to read.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

use super::file_set::Planned;

/// How long the search for the shortest difference may take. After that a longer one is good enough.
const PATIENCE: Duration = Duration::from_secs(1);

/// A unified diff of one file, with three lines around each change. The text of a sensitive file stays out of it.
pub(super) fn diff(file: &Planned, new: &str) -> String {
    let old = file.old.as_deref().unwrap_or_default();
    let name = file.target.shown();
    let old_name = if file.old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    if file.sensitive {
        let count = |tag| difference.iter_all_changes().filter(|change| change.tag() == tag).count();
        let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
        return format!(
            "--- {old_name}\n+++ b/{name}\n# sensitive: {added} lines added, {removed} removed, not shown\n"
        );
    }
    let text = difference.unified_diff().header(&old_name, &format!("b/{name}")).to_string();
    match text.is_empty() {
        // An empty file that is new has no line that differs.
        true => format!("--- {old_name}\n+++ b/{name}\n"),
        false => text,
    }
}

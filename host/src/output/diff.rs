//! What would change, for people to read.

use super::file_set::Planned;
use crate::document::Difference;

/// A unified diff of one file. The text of a sensitive file stays out of it.
pub(super) fn diff(file: &Planned, new: &str) -> String {
    let name = file.target.shown();
    let old_name = if file.old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
    let difference = Difference::between(file.old.as_deref().unwrap_or_default(), new);
    let changes = match file.sensitive {
        true => {
            format!("# sensitive: {} lines added, {} removed, not shown\n", difference.added(), difference.removed())
        }
        false => difference.to_string(),
    };
    format!("--- {old_name}\n+++ b/{name}\n{changes}")
}

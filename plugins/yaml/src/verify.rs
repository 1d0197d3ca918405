//! What was written is read again: the document says what it said before, but for the one place.

use portkeeper_plugin_sdk::Failure;
use portkeeper_plugin_sdk::yaml::{Id, Yaml};

/// Demands that the new text says what the old document says, but for what the keys of the path lead to.
pub(crate) fn says_the_same(before: &Yaml, new: &str, path: &[String]) -> Result<(), Failure> {
    let hidden = |_: &Yaml, keys: &[&str], _: Id| keys == path;
    let after = Yaml::parse(new).ok();
    if after.is_some_and(|after| after.outline(&hidden) == before.outline(&hidden)) {
        return Ok(());
    }
    Err(not_possible(&path.join(".")))
}

/// The refusal of an edit that would change more than it should.
pub(crate) fn not_possible(key: &str) -> Failure {
    Failure::bad_target(format!("`{key}` cannot be put into this file without changing what else it says"))
        .help("Write the key yourself once, in lines like `key: value`; portkeeper then keeps its value up to date.")
}

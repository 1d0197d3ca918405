//! Whose the target is.

use portkeeper_plugin_sdk::Failure;

/// What a template puts into its file, so that the next run knows it again.
const MARK: &str = "portkeeper:generated";

/// Demands that nothing gets lost, now and when the next ports come.
pub(crate) fn check(template: &str, old: Option<&str>, new: &str, overwrite: bool) -> Result<(), Failure> {
    let old = old.unwrap_or_default();
    if overwrite {
        return Ok(());
    }
    if !new.contains(MARK) {
        return Err(Failure::bad_input(format!(
            "`{template}` does not mark what it makes, so the next run could not tell the file from one that somebody wrote"
        ))
        .help(format!("Write `{MARK}` into the template, in a comment for example; or set \"overwrite\": true.")));
    }
    if old.trim().is_empty() || old.contains(MARK) || old == new {
        return Ok(());
    }
    Err(Failure::bad_target("the file was not made from a template: nothing in it is marked, so it would be lost").help(format!(
        "Move it away, choose another `path`, or set \"overwrite\": true. If it is the template's, write `{MARK}` into it."
    )))
}

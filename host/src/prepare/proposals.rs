//! What a plugin of others proposes for an output that says nothing of it: its file and its inputs.
//!
//! Those of the built-in formats are taken. A plugin of others would choose by itself what it reads of a project and what it overwrites
//! there, so the config has to name both; here is what to add to it.

use crate::config::Output;
use crate::output::{Target, TargetError};
use crate::plugins::Plugin;

/// Why an output without a path has no file, and what to add.
pub(super) fn why_no_path(plugin: &Plugin, format: &str) -> String {
    match &plugin.metadata().default_path {
        Some(path) if !plugin.origin().is_built_in() => format!(
            "the type `{format}` is not built in, so its file has to be named; for the one that its plugin proposes, add: \"path\": {}",
            quoted(path)
        ),
        _ => format!("the type `{format}` has no usual file: name one"),
    }
}

/// The files that are there, that the plugin asks for as inputs, and that the config says nothing about.
pub(super) fn withheld_inputs(
    plugin: &Plugin,
    output: &Output,
    locate: &dyn Fn(&str) -> Result<Target, TargetError>,
) -> Vec<Target> {
    if plugin.origin().is_built_in() || output.inputs.is_some() {
        return Vec::new();
    }
    // What could be no input is no loss.
    let located = plugin.metadata().default_inputs.iter().filter_map(|input| locate(input).ok());
    located.filter(|input| input.real().exists()).collect()
}

/// What to add to a config for these inputs; none when there are none.
pub(super) fn line_for_inputs(withheld: &[Target]) -> Option<String> {
    let inputs: Vec<_> = withheld.iter().map(|target| quoted(target.shown())).collect();
    let inputs = inputs.join(", ");
    (!inputs.is_empty()).then(|| {
        format!(
            "The plugin asks to read files that the config does not name; to let it, add: \"inputs\": [{inputs}], or [] to keep it out"
        )
    })
}

/// As JSON and YAML write it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

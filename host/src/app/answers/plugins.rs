//! What the `plugin` commands answer.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A type of output, as `plugin list` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TypeView {
    /// What a config writes in `type`.
    #[serde(rename = "type")]
    pub(crate) name: String,
    /// Other words for it.
    pub(crate) aliases: Vec<String>,
    /// Where its plugin comes from: `built-in`, `config`, `project`, `user` or `file`.
    pub(crate) origin: &'static str,
    /// Its plugin's file; null for a built-in format.
    pub(crate) path: Option<String>,
    /// Its plugin's version.
    pub(crate) version: Option<String>,
    /// What it does.
    pub(crate) description: Option<String>,
    /// The digest of its plugin's file.
    pub(crate) sha256: Option<String>,
    /// `built-in`, `own`, `trusted`, or `no`.
    pub(crate) trust: &'static str,
    /// Why it cannot be used.
    pub(crate) problem: Option<String>,
    /// What to do about that.
    pub(crate) advice: Option<String>,
}

/// What `plugin inspect` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InspectedPlugin<'a> {
    /// What the plugin calls itself.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// What it does.
    pub(crate) description: &'a str,
    /// The types that it renders.
    pub(crate) types: &'a [String],
    /// The file that it proposes.
    pub(crate) default_path: Option<&'a str>,
    /// The files that it asks to read.
    pub(crate) default_inputs: &'a [String],
    /// Where it comes from: `built-in`, `config`, `project`, `user` or `file`.
    pub(crate) origin: &'static str,
    /// Its file; null for a built-in format.
    pub(crate) path: Option<&'a Path>,
    /// `component` or `core module`.
    pub(crate) kind: &'static str,
    /// The size of the file.
    pub(crate) size_bytes: usize,
    /// The size as a component.
    pub(crate) component_size_bytes: usize,
    /// The digest of the file.
    pub(crate) sha256: String,
    /// The version of the interface that it was built for.
    pub(crate) interface: &'a str,
    /// What it imports.
    pub(crate) imports: &'a [String],
    /// What it exports.
    pub(crate) exports: &'a [String],
    /// How long compiling it took.
    pub(crate) compile_ms: f64,
    /// The JSON Schema of its options.
    pub(crate) options_schema: &'a Value,
    /// Words of that schema that portkeeper does not check.
    pub(crate) unchecked_keywords: Vec<String>,
}

/// What `plugin build` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct BuiltPlugin<'a> {
    /// The file that was written.
    pub(crate) path: &'a Path,
    /// What the plugin calls itself.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// The types that it renders.
    pub(crate) types: &'a [String],
    /// The size of the file.
    pub(crate) size_bytes: usize,
    /// The digest of the file.
    pub(crate) sha256: String,
    /// The version of the interface that it was built for.
    pub(crate) interface: &'a str,
    /// What it imports.
    pub(crate) imports: &'a [String],
}

/// A fixture, as `plugin test` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FixtureView {
    /// Its directory's name.
    pub(crate) fixture: String,
    /// `passed`, `failed` or `updated`.
    pub(crate) result: &'static str,
    /// What was wrong.
    pub(crate) flaws: Vec<String>,
    /// How many instructions the rendering took; the same on every machine.
    pub(crate) fuel: u64,
    /// How much memory it took.
    pub(crate) memory_bytes: usize,
    /// How long it took.
    pub(crate) elapsed_ms: f64,
}

/// What `plugin cache` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CacheView<'a> {
    /// Where compiled plugins are kept.
    pub(crate) directory: &'a Path,
    /// Whether the entries have been removed.
    pub(crate) cleared: bool,
    /// The compiled plugins.
    pub(crate) entries: Vec<CachedPlugin<'a>>,
}

/// A compiled plugin.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CachedPlugin<'a> {
    /// The digest of the plugin's file.
    pub(crate) sha256: &'a str,
    /// The file of the compiled code.
    pub(crate) path: &'a Path,
    /// Its size.
    pub(crate) size_bytes: usize,
}

/// What `plugin add` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AddedPlugin<'a> {
    /// What the plugin calls itself.
    pub(crate) name: &'a str,
    /// Its version.
    pub(crate) version: &'a str,
    /// The digest of its file.
    pub(crate) sha256: String,
    /// A file for each type that it renders.
    pub(crate) files: Vec<AddedFileView<'a>>,
}

/// A file that `plugin add` has written.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AddedFileView<'a> {
    /// The type that it renders.
    #[serde(rename = "type")]
    pub(crate) output_type: &'a str,
    /// The file.
    pub(crate) path: &'a Path,
    /// `new`, `unchanged`, `replaced`, or `was VERSION`.
    pub(crate) status: String,
}

/// What `plugin remove` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct RemovedFiles<'a> {
    /// The files that were removed.
    pub(crate) removed: &'a [std::path::PathBuf],
}

/// What `plugin new` answers.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct NewPlugin<'a> {
    /// The type that the plugin is going to render.
    #[serde(rename = "type")]
    pub(crate) name: &'a str,
    /// The directory of its sources.
    pub(crate) directory: &'a Path,
    /// The files in it.
    pub(crate) files: &'a [std::path::PathBuf],
}

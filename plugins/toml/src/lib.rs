//! The built-in `toml` format: values in a TOML document that has an owner.
//!
//! The map is merged into the document: tables are merged key by key, all else is a value. Comments, order, blank lines, quotes,
//! indentation, line ends and numbers that do not change stay as they are written. A key that is new goes below the last one of
//! its table, in the table's own manner: as a line, a dotted key, or between braces; a table that is new goes to the end.
//!
//! The tables of `[[...]]` are never touched: there are several, and the map cannot say which one it means.

mod document;
mod edit;
mod reader;
mod value;

use portkeeper_plugin_sdk::leaf::leaves;
use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin, text};
use serde::Deserialize;

/// The format.
#[derive(Debug)]
pub struct Toml;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Options {
    /// Write values that are new in the file and whole numbers as numbers instead of text
    #[serde(default)]
    numbers: bool,
}

/// What `Options` gives, word for word; a test compares them. What makes it out of the type would be a large part of the plugin.
const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "numbers": {
      "type": "boolean",
      "default": false,
      "description": "Write values that are new in the file and whole numbers as numbers instead of text"
    }
  },
  "additionalProperties": false
}"#;

export_plugin!(Toml);

impl Plugin for Toml {
    fn describe() -> Metadata {
        Metadata::new("toml", env!("CARGO_PKG_VERSION"), "Values in a TOML file; comments, order and quoting stay")
            .output_types(["toml"])
            .default_path("config.toml")
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let map = request.json_map()?;
        let (mark, body) = text::split_mark(request.old_text());
        let mut document = body.to_owned();
        for leaf in &leaves(&map)? {
            document = edit::set(&document, leaf, options.numbers)?;
        }
        Ok(Response::target(request, format!("{mark}{document}")))
    }
}

#[cfg(test)]
mod tests;

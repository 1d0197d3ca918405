//! The built-in `yaml` format: values in a YAML document that has an owner.
//!
//! The map is merged into the document: mappings are merged key by key, lists item by item, all else is a value. Comments, order, blank
//! lines, quotes, indentation, anchors, document markers and line ends stay as they are written, and so does a number or truth value when
//! the new text reads as one. A key that is new goes below the last one of its mapping, or between its braces; an item below the last one.
//! Of several documents a key names its own: `[kind=Service].spec.type`.
//!
//! What cannot be changed without changing something else is refused with its line: a value that aliases repeat or that has a tag, a block
//! of text, a mapping that comes in through `*alias` or `<<`. The text is read once, the edits of all keys are planned on it, and what was
//! written is read again: it is the document that was there and the map's values, or it is not handed out.

mod change;
mod document;
mod edit;
mod layout;
mod scalar;
mod verify;
mod write;

use portkeeper_plugin_sdk::leaf::leaves;
use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin, text};
use serde::Deserialize;

/// The format.
#[derive(Debug)]
pub struct Yaml;

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

export_plugin!(Yaml);

impl Plugin for Yaml {
    fn describe() -> Metadata {
        Metadata::new("yaml", env!("CARGO_PKG_VERSION"), "Values in a YAML file; comments, order and quoting stay")
            .output_types(["yaml", "yml"])
            .default_path("config.yaml")
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let map = request.json_map()?;
        let (mark, body) = text::split_mark(request.old_text());
        let document = edit::set_all(body, &leaves(&map)?, options.numbers)?;
        Ok(Response::target(request, format!("{mark}{document}")))
    }
}

#[cfg(test)]
mod tests;

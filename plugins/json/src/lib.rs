//! The built-in `json` format: values in a JSON document that has an owner.
//!
//! The map is merged into the document: objects are merged key by key, all else is a value. Key order, indentation, comments, trailing
//! commas, escapes and numbers that do not change stay as they are written. A file that is missing or empty starts as `{}` with two
//! spaces of indentation.
//!
//! A key of the map may be a path, `"server.port"`; `\.` is a dot that separates nothing, and a key that the document has literally,
//! dot and all, is meant before the path. A value that is a number or a boolean in the document stays one when
//! the new text reads as one.

use portkeeper_plugin_sdk::leaf::leaves;
use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin, jsonc};
use serde::Deserialize;

/// The format.
#[derive(Debug)]
pub struct Json;

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

export_plugin!(Json);

impl Plugin for Json {
    fn describe() -> Metadata {
        Metadata::new("json", env!("CARGO_PKG_VERSION"), "Values in a JSON file; order, indentation and comments stay")
            .output_types(["json", "package_json"])
            .default_path("config.json")
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let map = request.json_map()?;
        let new = jsonc::merge(request.old_text(), &leaves(&map)?, options.numbers)?;
        Ok(Response::target(request, new))
    }
}

#[cfg(test)]
mod tests;

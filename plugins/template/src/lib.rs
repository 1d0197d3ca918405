//! The built-in `template` format: a file made from a template that lies beside it.
//!
//! The template is the first of the output's `inputs`, in the language of Jinja. Its variables are the map's keys; without a map the
//! names of the reservations. Nothing is escaped, and a variable that does not exist is an error with its line.
//!
//! The whole file is the template's. So that no file gets lost that somebody wrote by hand, it is written only when it is new, empty, what the
//! template gives anyway, or marked: the template puts `portkeeper:generated` into it, in a comment for example. For
//! files that have no place for a mark there is the option `overwrite`.

mod environment;
mod filters;
mod line_ends;
mod owner;

use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin, text};
use serde::Deserialize;

/// The format.
#[derive(Debug)]
pub struct Template;

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Options {
    /// Write the file even when nothing in it says that it was made from a template
    #[serde(default)]
    overwrite: bool,
}

/// What `Options` gives, word for word; a test compares them. What makes it out of the type would be a large part of the plugin.
const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "overwrite": {
      "type": "boolean",
      "default": false,
      "description": "Write the file even when nothing in it says that it was made from a template"
    }
  },
  "additionalProperties": false
}"#;

export_plugin!(Template);

impl Plugin for Template {
    fn describe() -> Metadata {
        Metadata::new("template", env!("CARGO_PKG_VERSION"), "A file made from a Jinja template, the first of `inputs`")
            .output_types(["template", "jinja"])
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let (path, template) = template(request)?;
        let new = environment::render(path, template, environment::variables(request)?)?;
        owner::check(path, request.target.text.as_deref(), &new, options.overwrite)?;
        Ok(Response::target(request, new))
    }
}

/// Path and text of the template.
fn template(request: &Request) -> Result<(&str, &str), Failure> {
    let example = "Name the template: \"inputs\": [\"nginx.conf.j2\"].";
    let Some(input) = request.inputs.first() else {
        return Err(Failure::bad_input("there is no template").help(example));
    };
    if let Some(second) = request.inputs.get(1) {
        return Err(
            Failure::bad_input(format!("`{}` is a second template, and an output has one", second.path)).help(example)
        );
    }
    match &input.text {
        Some(template) => Ok((&input.path, text::split_mark(template).1)),
        None => Err(Failure::bad_input(format!("the template `{}` is not there", input.path))),
    }
}

#[cfg(test)]
mod tests;

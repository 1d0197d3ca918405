//! The built-in `properties` and `ini` formats: keys with values, a line each, in a file that has an owner.
//!
//! `properties` is Java's format, as Spring reads it too; `ini` is what systemd, PHP, Python's configparser and many others read. A value is
//! replaced where it stands; comments, order, blank lines, separators and line ends stay. All changes are planned on one reading of the text
//! and made together; then the result is read again, and what would say anything else than meant is refused.

mod edits;
mod ini;
mod java;
mod path;

use std::collections::BTreeMap;

use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin, text};

use crate::edits::Plan;

/// The format.
#[derive(Debug)]
pub struct Properties;

/// What a file says: the values of each key in their order, by section (empty for keys above the first) and key.
type Meaning = BTreeMap<(String, String), Vec<String>>;

/// Reads what a text says.
type Reader = fn(&str) -> Result<Meaning, Failure>;

export_plugin!(Properties);

impl Plugin for Properties {
    fn describe() -> Metadata {
        Metadata::new(
            "properties",
            env!("CARGO_PKG_VERSION"),
            "Values in a .properties or INI file; comments, order and separators stay",
        )
        .output_types(["properties", "ini"])
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let map = request.json_map()?;
        let places = path::places(&map)?;
        let (mark, body) = text::split_mark(request.old_text());
        let (plan, read): (_, Reader) = if is_java(request) {
            (java::plan(body, &places)?, java::meaning)
        } else {
            (ini::plan(body, &places)?, ini::meaning)
        };
        let Plan { edits, expected, warnings } = plan;
        let new = edits.apply(body);
        if read(&new)? != expected {
            return Err(Failure::bad_target("this file cannot be changed without changing what else it says")
                .help("Write the new lines by hand once; then portkeeper keeps their values up to date."));
        }
        let response = Response::target(request, format!("{mark}{new}"));
        Ok(warnings.into_iter().fold(response, |response, (line, message)| {
            let line = u32::try_from(line).unwrap_or(u32::MAX);
            response.diagnostic(Diagnostic::warning(message).at(&request.target.path, line))
        }))
    }
}

/// Whether the output's `type` is `properties`. Where the host does not say which type it wants, the file's name does.
fn is_java(request: &Request) -> bool {
    request.fact("type").map_or_else(|| request.target.path.ends_with(".properties"), |name| name == "properties")
}

#[cfg(test)]
mod tests;

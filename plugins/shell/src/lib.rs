//! The built-in `shell` format: variables for shells, in a file that has an owner.
//!
//! The lines stand in a block between two marker comments: `export KEY=value` for sh, `set -gx KEY value` for fish,
//! `$env:KEY = 'value'` for PowerShell. A shell file is a program, which nobody can edit safely by its lines, so all around the block stays
//! as it is. A block that is not there yet goes to the end, where it has the last word.

mod dialect;

use portkeeper_plugin_sdk::block::Markers;
use portkeeper_plugin_sdk::env_file::check_key;
use portkeeper_plugin_sdk::text;
use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin};
use serde::Deserialize;

use crate::dialect::Dialect;

/// The format.
#[derive(Debug)]
pub struct Shell;

#[derive(Debug, Deserialize)]
struct Options {
    #[serde(default)]
    dialect: Option<Dialect>,
}

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "dialect": {
      "type": "string",
      "enum": ["sh", "fish", "powershell"],
      "description": "The shell's language; without it what the file's name says: .fish, .ps1, else sh"
    }
  },
  "additionalProperties": false
}"#;

export_plugin!(Shell);

impl Plugin for Shell {
    fn describe() -> Metadata {
        Metadata::new(
            "shell",
            env!("CARGO_PKG_VERSION"),
            "Exported variables for sh, fish or PowerShell, in a block of their own",
        )
        .output_types(["shell", "sh", "envrc"])
        .default_path(".envrc")
        .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let dialect = options.dialect.unwrap_or_else(|| Dialect::of_file(&request.target.path));
        let lines = lines(request, dialect)?;
        let markers = Markers::line_comments("#", "written by portkeeper; what you change in here is lost");
        let new = markers.replace(request.old_text(), &lines)?;
        let response = Response::target(request, &*new);
        let diagnostics = overridden(&new, &markers, dialect, request).into_iter();
        let diagnostics = diagnostics.chain(unreached(&new, &markers, dialect, request));
        Ok(diagnostics.chain(carriage_returns(&new, dialect, request)).fold(response, Response::diagnostic))
    }
}

/// One line for each entry.
fn lines(request: &Request, dialect: Dialect) -> Result<Vec<String>, Failure> {
    let mut names: Vec<&str> = Vec::new();
    let mut lines = Vec::new();
    for (key, value) in &request.entries {
        check_key(key)?;
        if names.contains(&key.as_str()) {
            return Err(Failure::bad_map(format!("the map names `{key}` twice")));
        }
        names.push(key);
        // A value of several lines would put lines of its own between the markers.
        if value.contains(['\n', '\r']) {
            return Err(Failure::bad_map(format!(
                "the value of `{key}` has a line break, which a line of a script cannot hold"
            )));
        }
        lines.push(dialect.line(key, value)?);
    }
    Ok(lines)
}

/// What to say about lines after our block that set one of our variables again: they would win.
fn overridden(text: &str, markers: &Markers, dialect: Dialect, request: &Request) -> Vec<Diagnostic> {
    let Ok(blocks) = markers.find(text) else { return Vec::new() };
    let Some(end) = blocks.first().map(|block| block.end) else { return Vec::new() };
    let first = text::line_of(text, end);
    let again = |(number, (line, _)): (usize, (&str, &str))| {
        let (key, _) = request.entries.iter().find(|(key, _)| dialect.assigns(line, key))?;
        let message = format!("`{key}` is set again here, after portkeeper's block, and this line wins");
        Some(Diagnostic::warning(message).at(&request.target.path, u32::try_from(number).unwrap_or(u32::MAX)))
    };
    (first..).zip(text::lines(&text[end..])).filter_map(again).collect()
}

/// What to say about a line before our block that ends the script, so that the block never runs.
fn unreached(text: &str, markers: &Markers, dialect: Dialect, request: &Request) -> Option<Diagnostic> {
    let start = markers.find(text).ok()?.first()?.start;
    let mut lines = (1..).zip(text::lines(&text[..start]));
    let (number, (line, _)) = lines.find(|(_, (line, _))| dialect.ends_script(line))?;
    let word = line.split_whitespace().next().unwrap_or_default();
    let message = format!(
        "`{word}` ends the script here, so portkeeper's block below never runs; move the block above this line"
    );
    Some(Diagnostic::warning(message).at(&request.target.path, number))
}

/// What to say about line ends of Windows, which sh takes for a part of each line's last word.
fn carriage_returns(text: &str, dialect: Dialect, request: &Request) -> Option<Diagnostic> {
    let is_windows = text::LineEnd::of(text) == text::LineEnd::CrLf;
    let message = "the lines end with CR LF, and sh takes the CR for a part of the values; save the file with LF";
    (is_windows && dialect == Dialect::Sh).then(|| Diagnostic::warning(message).at(&request.target.path, 1))
}

#[cfg(test)]
mod tests;

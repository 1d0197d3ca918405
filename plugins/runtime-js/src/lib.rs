//! The built-in `runtime_js` format: values for a page in the browser, as `window.RUNTIME = {...};`.
//!
//! The assignment stands in a block between two marker comments, and text around the block is kept. A file that is not ours is refused,
//! with one exception: a file with nothing in it but the one line that portkeeper's Python ancestor wrote is taken over.

mod global;
mod literal;

use portkeeper_plugin_sdk::block::{Markers, second_block};
use portkeeper_plugin_sdk::json::Map;
use portkeeper_plugin_sdk::text::{self, LineEnd};
use portkeeper_plugin_sdk::{Diagnostic, Failure, Metadata, Plugin, Request, Response, export_plugin};
use serde::Deserialize;

use crate::global::Global;

/// The format.
#[derive(Debug)]
pub struct RuntimeJs;

#[derive(Debug, Deserialize)]
struct Options {
    #[serde(default)]
    global: Global,
}

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "global": {
      "type": "string",
      "default": "window.RUNTIME",
      "pattern": "^[A-Za-z_$][A-Za-z0-9_$]*(\\.[A-Za-z_$][A-Za-z0-9_$]*)+$",
      "description": "What the values are assigned to: names joined by dots"
    }
  },
  "additionalProperties": false
}"#;

export_plugin!(RuntimeJs);

impl Plugin for RuntimeJs {
    fn describe() -> Metadata {
        Metadata::new(
            "runtime_js",
            env!("CARGO_PKG_VERSION"),
            "Values for a page in the browser: window.RUNTIME = {...};",
        )
        .output_types(["runtime_js", "js"])
        .default_path("runtime-config.js")
        .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let Options { global } = request.options()?;
        let map = request.json_map()?;
        let old = request.old_text();
        let end = LineEnd::of(old).as_str();
        let markers = Markers::line_comments("//", "written by portkeeper; what you change in here is lost");
        let block = markers.wrap("", end, &[format!("{global} = {};", literal::object(&map))]);
        let (before, after) = around(old, &markers, &global)?;
        // A block that ended without a line end was the file's last line, and stays without one.
        let text = format!("{before}{block}{after}");
        let keep_open = !old.is_empty() && after.is_empty() && !old.ends_with('\n');
        let text = if keep_open { text::without_end(&text).to_owned() } else { text };
        let response = Response::target(request, text);
        Ok(lost_keys(old, &global, &map).into_iter().fold(response, Response::diagnostic))
    }
}

/// What stands before and after our block, or after the place where it shall be.
fn around<'a>(old: &'a str, markers: &Markers, global: &Global) -> Result<(&'a str, &'a str), Failure> {
    let (mark, body) = text::split_mark(old);
    match markers.find(old)?.as_slice() {
        [block] => match global.assigned_in(&old[..block.start]).or_else(|| global.assigned_in(&old[block.end..])) {
            Some(_) => Err(not_ours(old, global)),
            None => Ok((&old[..block.start], &old[block.end..])),
        },
        [] if body.trim().is_empty() || global.python_line(body).is_some() => Ok((mark, "")),
        [] => Err(not_ours(old, global)),
        [_, second, ..] => Err(second_block(text::line_of(old, second.start))),
    }
}

/// The refusal of a file that somebody else wrote.
fn not_ours(old: &str, global: &Global) -> Failure {
    let failure = match global.assigned_in(old) {
        Some(at) => Failure::bad_target(format!("`{global}` is assigned here, outside of portkeeper's block"))
            .line(text::line_of(old, at)),
        None => Failure::bad_target("the file is not portkeeper's: there is no block of its in it"),
    };
    failure.help("Move the file away or choose another `path`; or put the lines `// portkeeper:begin` and `// portkeeper:end` where the values shall stand.")
}

/// What to say about keys that the Python tool wrote and that the map no longer has.
fn lost_keys(old: &str, global: &Global, map: &Map) -> Option<Diagnostic> {
    let before = global.python_line(text::split_mark(old).1)?;
    let lost: Vec<_> = before.keys().filter(|key| map.get(key).is_none()).map(|key| format!("`{key}`")).collect();
    let message = format!("the file's old line also had {}, which the map does not have", lost.join(", "));
    (!lost.is_empty()).then(|| Diagnostic::warning(message))
}

#[cfg(test)]
mod tests;

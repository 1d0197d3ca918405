//! portkeeper.config(5), from the config's JSON Schema.

use std::io;

use clap_mangen::roff::{Roff, bold, roman};
use serde_json::Value;

use super::facts;
use super::page::definitions;
use crate::config;

const EXAMPLE: &str = r#"{
  "ports": [
    { "key": "WEB_PORT", "preferred": 8080 },
    { "key": "DB_PORT", "range": "5400-5499" }
  ],
  "outputs": [
    { "type": "env", "path": ".env" }
  ]
}"#;

pub(super) fn page() -> io::Result<Vec<u8>> {
    let schema = config::schema();
    let mut roff = Roff::new();
    let source = concat!("portkeeper ", env!("CARGO_PKG_VERSION"));
    roff.control("TH", ["PORTKEEPER.CONFIG", "5", facts::DATE, source, "File Formats"]);
    roff.control("SH", ["NAME"])
        .text([roman("portkeeper.config - the ports of a project and the files that get them")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "`portkeeper prepare` reads pk.config.json, pk.config.yaml or pk.config.yml in the current directory or the nearest one above, up \
         to the root of the worktree, reserves its ports, and writes its outputs. Paths are relative to the directory of the config. \
         Every other field of an output is an option of its format: `portkeeper schema` prints them all.",
    )]);
    roff.control("SH", ["FIELDS"]);
    fields(&mut roff, &schema, &schema, "");
    roff.control("SH", ["EXAMPLE"]).control("EX", []);
    for line in EXAMPLE.lines() {
        roff.text([roman(line)]);
    }
    roff.control("EE", []);
    definitions(&mut roff, "FILES", facts::FILES);
    roff.control("SH", ["SEE ALSO"]).text([bold("portkeeper-prepare(1)"), roman(", "), bold("portkeeper-schema(1)")]);
    let mut page = Vec::new();
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// Every field below an object of the schema, with its path: `ports[].key`.
fn fields(roff: &mut Roff, schema: &Value, object: &Value, prefix: &str) {
    let required: Vec<&str> = object["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let mut meaning = field["description"].as_str().unwrap_or_default().to_owned();
        if required.contains(&name.as_str()) {
            meaning.push_str(" Required.");
        }
        let (inner, suffix) = match (&field["items"]["$ref"], &field["additionalProperties"]["$ref"]) {
            (Value::String(inner), _) => (Some(inner), "[]."),
            (_, Value::String(inner)) => (Some(inner), ".NAME."),
            _ => (None, ""),
        };
        roff.control("TP", []).text([bold(path.as_str())]).text([roman(meaning)]);
        if let Some(inner) = inner.and_then(|inner| schema.pointer(inner.trim_start_matches('#'))) {
            fields(roff, schema, inner, &format!("{path}{suffix}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_every_field_and_its_example_is_a_config() {
        let page = String::from_utf8(page().unwrap()).unwrap();
        for field in
            ["ports", "ports[].key", "ports[].protocol", "outputs[].type", "outputs[].map", "plugins.NAME.path"]
        {
            let line = format!("\\fB{}\\fR", field.replace('-', "\\-"));
            assert!(page.contains(&line), "{field}: {page}");
        }
        config::Config::parse("pk.config.json".as_ref(), EXAMPLE.as_bytes().to_vec()).unwrap();
    }
}

//! A portkeeper plugin: a file of shell assignments, for scripts that read it with `. ./ports.sh`.

use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin};

struct Shell;

#[derive(serde::Deserialize)]
struct Options {
    #[serde(default)]
    export: bool,
}

const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "export": { "type": "boolean", "default": false, "description": "Hand the variables on to the script's commands" }
  },
  "additionalProperties": false
}"#;

export_plugin!(Shell);

impl Plugin for Shell {
    fn describe() -> Metadata {
        Metadata::new("shell", env!("CARGO_PKG_VERSION"), "Shell assignments, one per entry")
            .output_types(["shell"])
            .default_path("ports.sh")
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let options: Options = request.options()?;
        let lines = request.entries.iter().map(|(key, value)| line(key, value, options.export));
        Ok(Response::target(request, lines.collect::<Result<String, _>>()?))
    }
}

fn line(key: &str, value: &str, export: bool) -> Result<String, Failure> {
    let starts_well = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Failure::bad_map(format!("`{key}` can't be the name of a shell variable"))
            .help("Use letters, digits and `_`, and no digit at the start."));
    }
    let export = if export { "export " } else { "" };
    Ok(format!("{export}{key}='{}'\n", value.replace('\'', r"'\''")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_exported_on_demand() {
        let request = Request::new("ports.sh").entry("PORT", "8888").entry("TITLE", "it's me");
        assert_eq!(Shell::render(&request).unwrap().files[0].text, "PORT='8888'\nTITLE='it'\\''s me'\n");
        let request = Request { options: r#"{"export": true}"#.to_owned(), ..Request::new("ports.sh") };
        assert_eq!(Shell::render(&request.entry("PORT", "1")).unwrap().files[0].text, "export PORT='1'\n");
    }

    #[test]
    fn a_name_that_no_variable_can_have_is_refused() {
        for name in ["db.port", "1ST", "", "A B"] {
            assert!(Shell::render(&Request::new("ports.sh").entry(name, "1")).is_err(), "{name}");
        }
    }
}

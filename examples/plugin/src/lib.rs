//! A portkeeper plugin: the `application.properties` of a Spring service. (The built-in `properties` does more.)
//!
//! A property that the file has gets its value where it stands; a new one goes to the end. All else stays as it is.

use portkeeper_plugin_sdk::text::{self, LineEnd};
use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin};

struct Spring;

/// What an output may say beside `type`, `path` and `map`.
#[derive(serde::Deserialize)]
struct Options {
    #[serde(default)]
    prefix: String,
}

/// The same for the host, which checks the options before the plugin runs, and for editors.
const SCHEMA: &str = r#"{
  "type": "object",
  "properties": {
    "prefix": { "type": "string", "default": "", "description": "What every key starts with, for example `server.`" }
  },
  "additionalProperties": false
}"#;

export_plugin!(Spring);

impl Plugin for Spring {
    fn describe() -> Metadata {
        Metadata::new("spring", env!("CARGO_PKG_VERSION"), "Java properties; other lines stay as they are")
            .output_types(["spring"])
            .default_path("application.properties")
            .options_schema(SCHEMA)
    }

    fn render(request: &Request) -> Result<Response, Failure> {
        let Options { prefix } = request.options()?;
        let end = LineEnd::of(request.old_text()).as_str();
        let mut lines: Vec<String> = text::lines(request.old_text()).map(|(line, _)| line.to_owned()).collect();
        for (key, value) in &request.entries {
            let key = format!("{prefix}{key}");
            check(&key, value)?;
            let line = format!("{key}={value}");
            match lines.iter_mut().rfind(|line| key_of(line) == Some(&key)) {
                Some(old) => *old = line,
                None => lines.push(line),
            }
        }
        Ok(Response::target(request, lines.into_iter().map(|line| line + end).collect::<String>()))
    }
}

/// The key of a line; none for a comment.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let key = line.split(['=', ':', ' ', '\t']).next()?;
    (!key.is_empty() && !line.starts_with(['#', '!'])).then_some(key)
}

fn check(key: &str, value: &str) -> Result<(), Failure> {
    if key.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !value.contains(['\\', '\n', '\r']) {
        return Ok(());
    }
    Err(Failure::bad_map(format!("`{key}` and its value cannot be written as a line"))
        .help("Use letters, digits, `.`, `_` and `-` in the key, and no backslash in the value."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(old: &str) -> String {
        let request =
            Request { options: r#"{"prefix": "server."}"#.to_owned(), ..Request::new("application.properties") };
        Spring::render(&request.text(old).entry("port", "8888")).unwrap().files[0].text.clone()
    }

    #[test]
    fn a_property_gets_its_value_where_it_stands() {
        assert_eq!(
            render("# mine\n server.port : 1\nspring.name=shop\n"),
            "# mine\nserver.port=8888\nspring.name=shop\n"
        );
        assert_eq!(render("#server.port=1\r\n"), "#server.port=1\r\nserver.port=8888\r\n");
    }

    #[test]
    fn its_own_text_does_not_change_again() {
        let once = render("a=b");
        assert_eq!(render(&once), once);
    }

    #[test]
    fn what_is_no_line_is_refused() {
        for (key, value) in [("a b", "1"), ("a", "1\n2")] {
            assert!(Spring::render(&Request::new("x").entry(key, value)).is_err(), "{key}");
        }
    }
}

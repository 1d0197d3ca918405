//! The variables that decide which files Compose reads: of the environment, and of the `.env` beside the Compose file.

use portkeeper_plugin_sdk::context::ContextFile;
use portkeeper_plugin_sdk::{Failure, Request};

use crate::paths;

/// What Compose decides by (Docker's "Set or change pre-defined environment variables in Docker Compose").
pub(crate) const VARIABLES: [&str; 5] =
    ["COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROJECT_NAME", "COMPOSE_DISABLE_ENV_FILE", "COMPOSE_ENV_FILES"];

/// A variable's value, and where it is set, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Set {
    pub(crate) value: String,
    /// `the environment`, or a file.
    pub(crate) by: String,
}

/// The variable as Compose sees it when it is started in this directory: the environment comes first, then the files. An empty one is as good
/// as none.
pub(crate) fn variable(request: &Request, directory: &str, name: &str) -> Result<Option<Set>, Failure> {
    if let Some(value) = request.environment(name).filter(|value| !value.is_empty()) {
        return Ok(Some(Set { value: value.to_owned(), by: "the environment".to_owned() }));
    }
    let mut found = None;
    for path in files(request, directory) {
        if let ContextFile::Text(text) = request.context_file(&path)?
            && let Some(value) = last_value(text, name).filter(|value| !value.is_empty())
        {
            found = Some(Set { value, by: format!("`{path}`") });
        }
    }
    Ok(found)
}

/// The files that variables are read from, later ones winning.
fn files(request: &Request, directory: &str) -> Vec<String> {
    let is_on = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "1" | "t" | "true");
    if request.environment("COMPOSE_DISABLE_ENV_FILE").is_some_and(is_on) {
        return Vec::new();
    }
    match request.environment("COMPOSE_ENV_FILES").filter(|files| !files.is_empty()) {
        Some(files) => files.split(',').map(|file| paths::join(directory, file.trim())).collect(),
        None => vec![format!("{directory}.env")],
    }
}

/// The value that the last line for the variable gives it: what decides here are names of files, so no escapes are known.
fn last_value(text: &str, name: &str) -> Option<String> {
    let value = |line: &str| {
        let line = line.trim_start_matches('\u{feff}').trim_start();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let rest = line.strip_prefix(name)?.trim_start().strip_prefix(['=', ':'])?.trim();
        let quoted = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
        Some(match quoted.and_then(|quote| rest[1..].split_once(quote)) {
            Some((value, _)) => value.to_owned(),
            None => rest.split(" #").next().unwrap_or_default().trim_end().to_owned(),
        })
    };
    text.lines().filter_map(value).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_gives_the_value() {
        for (text, value) in [
            ("COMPOSE_FILE=a.yaml:b.yaml", Some("a.yaml:b.yaml")),
            ("# COMPOSE_FILE=x\nexport COMPOSE_FILE=\"a b\" # c\r\n", Some("a b")),
            ("COMPOSE_FILE=a\nCOMPOSE_FILE='b' \n", Some("b")),
            ("COMPOSE_FILE=a # why\n", Some("a")),
            ("\u{feff}COMPOSE_FILE = a\n", Some("a")),
            ("COMPOSE_FILE=", Some("")),
            ("COMPOSE_FILES=a\n#COMPOSE_FILE=b", None),
        ] {
            assert_eq!(last_value(text, "COMPOSE_FILE").as_deref(), value, "{text}");
        }
    }

    #[test]
    fn the_environment_comes_first_and_files_can_be_switched_off() {
        let with = |attrs: &[(&str, &str)]| {
            let mut request = Request::new("compose.override.yaml");
            request.attrs = attrs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            variable(&request, "", "COMPOSE_FILE").unwrap()
        };
        let file = ("file:.env", "COMPOSE_FILE=a.yaml");
        assert_eq!(with(&[file]).unwrap(), Set { value: "a.yaml".to_owned(), by: "`.env`".to_owned() });
        assert_eq!(with(&[file, ("environment:COMPOSE_FILE", "b.yaml")]).unwrap().value, "b.yaml");
        assert_eq!(with(&[file, ("environment:COMPOSE_DISABLE_ENV_FILE", "true")]), None);
        assert_eq!(with(&[("environment:COMPOSE_ENV_FILES", "x.env"), ("missing-file:x.env", "")]), None);
    }
}

//! An output's `map`: its variables filled in, and its flat view.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::document::{FieldPath, Step};

use super::expand::{ExpandProblem, Variables, expand};

/// The longest that all texts of a map together may become, in bytes. A plugin takes 16 MiB at most in all.
const LONGEST: usize = 4 << 20;

/// Why a map cannot be expanded, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("map.{path}: {problem}")]
pub struct ExpandError {
    /// The value, from the map's top.
    pub path: FieldPath,
    /// What is wrong.
    pub problem: ExpandProblem,
}

/// The map with the variables in its texts filled in. Keys, numbers and the rest stay as they are, and so does the order.
///
/// # Errors
/// [`ExpandError`] about the first text that cannot be expanded.
pub fn expand_map(map: &Map<String, Value>, variables: &Variables) -> Result<Map<String, Value>, ExpandError> {
    let mut map = map.clone();
    let mut left = LONGEST;
    for (key, value) in &mut map {
        fill(value, &mut vec![Step::Key(key.clone())], &mut left, variables)?;
    }
    Ok(map)
}

fn fill(value: &mut Value, path: &mut Vec<Step>, left: &mut usize, variables: &Variables) -> Result<(), ExpandError> {
    match value {
        Value::String(text) => {
            let at = |problem| ExpandError { path: path.iter().cloned().collect(), problem };
            *text = expand(text, variables, *left).map_err(at)?;
            *left -= text.len();
        }
        Value::Array(list) => {
            for (index, value) in list.iter_mut().enumerate() {
                path.push(Step::Index(index));
                fill(value, path, left, variables)?;
                path.pop();
            }
        }
        Value::Object(object) => {
            for (key, value) in object {
                path.push(Step::Key(key.clone()));
                fill(value, path, left, variables)?;
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

/// The flat view of an expanded map, in its order: objects and lists as dotted paths (`server.hosts.0`), values as text, null as
/// no text. A dot or backslash inside a key gets a backslash before it. An empty object or list has no entries.
#[must_use]
pub fn entries(map: &Map<String, Value>) -> Vec<(String, String)> {
    let mut entries = Vec::new();
    for (key, value) in map {
        flatten(escape(key), value, &mut entries);
    }
    entries
}

fn flatten(path: String, value: &Value, entries: &mut Vec<(String, String)>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(format!("{path}.{}", escape(key)), value, entries);
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                flatten(format!("{path}.{index}"), value, entries);
            }
        }
        Value::String(text) => entries.push((path, text.clone())),
        Value::Null => entries.push((path, String::new())),
        Value::Bool(_) | Value::Number(_) => entries.push((path, value.to_string())),
    }
}

fn escape(key: &str) -> String {
    key.replace('\\', "\\\\").replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn expanded(value: &Value) -> Result<Map<String, Value>, ExpandError> {
        let keys = [("PORT".to_owned(), "8888".to_owned())];
        expand_map(&map(value), &Variables::new(&keys, &|_| None))
    }

    #[test]
    fn texts_are_filled_in_and_the_rest_stays() {
        let before = json!({"z": "${PORT}", "a": {"b": ["x:${PORT}", 1, null, true], "${PORT}": 1.5}});
        let after = json!({"z": "8888", "a": {"b": ["x:8888", 1, null, true], "${PORT}": 1.5}});
        let result = expanded(&before).unwrap();
        assert_eq!(serde_json::to_string(&result).unwrap(), after.to_string(), "order included");
    }

    #[test]
    fn an_error_says_where() {
        let error = expanded(&json!({"a": {"b": ["x", "${PROT}"]}})).unwrap_err();
        assert!(error.to_string().starts_with("map.a.b[1]: the variable PROT is not set"), "{error}");
        assert!(error.to_string().contains("did you mean PORT?"), "{error}");
    }

    #[test]
    fn the_length_of_all_texts_together_is_bounded() {
        let keys = [("BIG".to_owned(), "x".repeat(1 << 20))];
        let many = map(&json!({"a": "${BIG}${BIG}", "b": ["${BIG}${BIG}", "${BIG}"]}));
        let error = expand_map(&many, &Variables::new(&keys, &|_| None)).unwrap_err();
        assert!(matches!(error.problem, ExpandProblem::TooLong(_)));
        assert_eq!(error.path.to_string(), "b[1]");
    }

    #[test]
    fn the_flat_view_has_dotted_paths_and_texts() {
        let flat = entries(&map(&json!({
            "PORT": "8888", "server": {"port": 1, "on": true, "none": null, "hosts": ["a", {"b": 2}]},
            "a.b": "dot", "c\\d": "backslash", "empty": {}, "nothing": []
        })));
        let flat: Vec<_> = flat.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        assert_eq!(
            flat,
            [
                ("PORT", "8888"),
                ("server.port", "1"),
                ("server.on", "true"),
                ("server.none", ""),
                ("server.hosts.0", "a"),
                ("server.hosts.1.b", "2"),
                ("a\\.b", "dot"),
                ("c\\\\d", "backslash")
            ]
        );
    }
}

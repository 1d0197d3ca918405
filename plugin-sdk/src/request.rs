//! What a plugin is asked.

use crate::json::{self, Map, Value};
use crate::{Attributes, Failure};

/// All that a plugin may know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The name of the project's directory, without its path.
    pub project: String,
    /// Every port that the config reserves.
    pub reservations: Vec<Reservation>,
    /// The expanded `map` as a flat list in the config's order. Nested objects are dotted paths; a dot or backslash inside a key
    /// has a backslash before it. Without a `map`: every reservation's name with its port.
    pub entries: Vec<(String, String)>,
    /// The expanded `map` as JSON, with the nesting and the types of the config. [`Request::json_map`] reads it.
    pub map: String,
    /// The file to render.
    pub target: TextFile,
    /// The files that the config's `inputs` names.
    pub inputs: Vec<TextFile>,
    /// The output's own options as a JSON object. [`Request::options`] reads them.
    pub options: String,
    /// Facts that later hosts add.
    pub attrs: Attributes,
}

/// One reserved port.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reservation {
    /// The config's `key`, for example `SERVICE_PORT`.
    pub name: String,
    /// 1 to 65535.
    pub port: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The host that the port is reserved on, as the config writes it; none means the default host.
    pub host: Option<String>,
    /// Facts that later hosts add.
    pub attrs: Attributes,
}

/// A file as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFile {
    /// Relative to the config's directory, with `/` between its parts.
    pub path: String,
    /// None when there is no such file.
    pub text: Option<String>,
}

impl Request {
    /// A request about a file that is not there yet, without options: where tests start.
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self {
            target: TextFile { path: path.to_owned(), text: None },
            map: "{}".to_owned(),
            options: "{}".to_owned(),
            ..Self::default()
        }
    }

    /// The same with one more entry. The JSON of `map` is a field of its own and stays.
    #[must_use]
    pub fn entry(mut self, key: &str, value: &str) -> Self {
        self.entries.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The same about a file with this text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.target.text = Some(text.to_owned());
        self
    }

    /// The target's text; empty when there is no such file.
    #[must_use]
    pub fn old_text(&self) -> &str {
        self.target.text.as_deref().unwrap_or_default()
    }

    /// The expanded `map` with the nesting, order and types of the config.
    ///
    /// # Errors
    /// `bad-map` when it is no JSON object, or nested deeper than 128 levels.
    pub fn json_map(&self) -> Result<Map, Failure> {
        object(&self.map).map_err(|reason| {
            Failure::bad_map(format!("the map cannot be read as a JSON object: {reason}"))
                .help("Write the map as an object: {\"KEY\": \"${SERVICE_PORT}\"}.")
        })
    }

    /// The options as the author's type, see [`crate::options`].
    ///
    /// # Errors
    /// `bad-options` that names the option, and the nearest one for an unknown name.
    pub fn options<'de, T: serde::Deserialize<'de>>(&self) -> Result<T, Failure> {
        crate::options::read(&self.options)
    }
}

impl Reservation {
    /// A TCP port on the default host.
    #[must_use]
    pub fn tcp(name: &str, port: u16) -> Self {
        Self { name: name.to_owned(), port, protocol: "tcp".to_owned(), ..Self::default() }
    }
}

/// Reads a JSON object, or says why that cannot be.
pub(crate) fn object(text: &str) -> Result<Map, String> {
    match json::parse(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("it is another kind of value".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_keeps_order_and_types() {
        let request = Request { map: r#"{"b": 1, "a": {"x": true}}"#.to_owned(), ..Request::new("f") };
        let map = request.json_map().unwrap();
        assert_eq!(map.keys().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(map.get("a").unwrap().as_object().unwrap().get("x"), Some(&Value::Bool(true)));
    }

    #[test]
    fn a_map_that_is_no_object_is_a_failure() {
        let request = Request { map: "[]".to_owned(), ..Request::new("f") };
        assert_eq!(request.json_map().unwrap_err().code, "bad-map");
    }
}

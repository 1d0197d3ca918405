//! Options read into the author's serde type.
//!
//! Every field that the type does not know is refused, whether or not it says `deny_unknown_fields`, and every error names the
//! option.
//!
//! ```
//! use portkeeper_plugin_sdk::Request;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(default)]
//! struct Options {
//!     indent: u8,
//! }
//!
//! impl Default for Options {
//!     fn default() -> Self {
//!         Self { indent: 2 }
//!     }
//! }
//!
//! let request = Request { options: r#"{"indnt": 4}"#.to_owned(), ..Request::new("x.toml") };
//! let failure = request.options::<Options>().err().unwrap();
//! assert_eq!(failure.message, "there is no option `indnt`");
//! assert_eq!(failure.help.unwrap(), "Did you mean `indent`?");
//! ```

#[cfg(feature = "schema")]
mod schema;
mod source;

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, Unexpected, Visitor};

#[cfg(feature = "schema")]
pub use self::schema::schema;
use self::source::{Key, Source};
use crate::json::{Map, Value};
use crate::{Failure, suggest};

/// Reads a JSON object of options.
///
/// # Errors
/// `bad-options` that names the option, and the nearest one for an unknown name.
pub fn read<'de, T: serde::Deserialize<'de>>(json: &str) -> Result<T, Failure> {
    let options = crate::request::object(json)
        .map_err(|reason| Failure::bad_options(format!("the options cannot be read as a JSON object: {reason}")))?;
    T::deserialize(Options(options)).map_err(|error| match error {
        Error::Unknown { name, known: [] } => {
            Failure::bad_options(format!("there is no option `{name}`")).help("This type has no options of its own.")
        }
        Error::Unknown { name, known } => Failure {
            help: suggest::help(&name, known.iter().copied()),
            ..Failure::bad_options(format!("there is no option `{name}`"))
        },
        Error::Value { name, message } => Failure::bad_options(format!("option `{name}`: {message}")),
        Error::Other(message) => Failure::bad_options(message),
    })
}

/// What can be wrong with options.
#[derive(Debug)]
enum Error {
    /// An option that the type does not have.
    Unknown { name: String, known: &'static [&'static str] },
    /// An option with the wrong value.
    Value { name: String, message: String },
    /// Anything that is not about a single option: mostly one that is missing.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, .. } => f.write_str(name),
            Self::Value { message, .. } | Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Other(format!("option `{field}` is missing"))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Str(text) => format!("`{text}`"),
            Unexpected::Float(_) => "a number with a fraction".to_owned(),
            Unexpected::Unit | Unexpected::Option => "null".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "an object".to_owned(),
            _ => "something else".to_owned(),
        };
        Self::Other(format!("expected {expected}, and this is {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

/// The options as a source of a struct.
struct Options(Map);

impl<'de> Deserializer<'de> for Options {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let unknown = self.0.keys().find(|name| !fields.contains(name)).map(str::to_owned);
        match unknown {
            Some(name) => Err(Error::Unknown { name, known: fields }),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Entries { rest: self.0.into_iter(), value: None })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The options one by one, so that an error knows which one it is about.
struct Entries {
    rest: std::vec::IntoIter<(String, Value)>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        self.value = self.rest.next();
        let name = self.value.as_ref().map(|(name, _)| name.clone());
        name.map(|name| seed.deserialize(Key(name))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let (name, value) = self.value.take().unwrap_or_default();
        seed.deserialize(Source(value)).map_err(|error| Error::Value { name, message: error.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        services: BTreeMap<String, u16>,
        #[serde(default)]
        drop_unmapped: bool,
    }

    #[derive(Debug, Deserialize)]
    struct Nothing {}

    fn failure(json: &str) -> Failure {
        let failure = read::<Sample>(json).unwrap_err();
        assert_eq!(failure.code, "bad-options");
        failure
    }

    #[test]
    fn options_become_the_authors_type() {
        let options: Sample = read(r#"{"services": {"web": 80}}"#).unwrap();
        assert_eq!(options, Sample { services: BTreeMap::from([("web".to_owned(), 80)]), drop_unmapped: false });
    }

    #[test]
    fn an_unknown_option_gets_a_suggestion_or_the_list() {
        assert_eq!(failure(r#"{"service": {}}"#).help.unwrap(), "Did you mean `services`?");
        assert_eq!(failure(r#"{"x": {}}"#).help.unwrap(), "There is `services`, `drop_unmapped`.");
        let none = read::<Nothing>(r#"{"x": 1}"#).unwrap_err();
        assert_eq!(none.help.unwrap(), "This type has no options of its own.");
    }

    #[test]
    fn a_wrong_or_missing_value_names_its_option() {
        let wrong = failure(r#"{"services": {"web": 80}, "drop_unmapped": "yes"}"#);
        assert_eq!(wrong.message, "option `drop_unmapped`: expected a boolean, and this is `yes`");
        assert_eq!(failure("{}").message, "option `services` is missing");
        assert!(failure("[]").message.contains("JSON object"));
    }
}

//! The options of a format: what its JSON Schema allows, which defaults it fills in, and what is wrong with what a config says.
//!
//! A schema comes from a plugin, so it is foreign text. It is checked when the plugin describes itself: its size, its shape,
//! and that it refers to nothing outside of itself. Checking options against it takes a bounded number of steps.
//!
//! This is the part of JSON Schema (draft 2020-12) that schemas of options are made of, see [`KEYWORDS`], without the identifiers
//! and dialects that the libraries are large for: the smallest one would make a fifth of the program and read its own schemas in
//! more time than a whole prepare may take. A keyword that is not among these constrains nothing here, as the specification has it
//! for unknown ones (Core, 6.5), and is left to the plugin; [`OptionsSchema::unchecked`] names them. A test compares the verdicts
//! with those of a library.

mod bounds;
mod check;
mod choice;
mod embed;
mod fill;
mod pattern;
mod value;
mod vet;
mod violation;

use serde_json::{Map, Value};

use crate::document::json_error;

pub use embed::embed;
pub use vet::KEYWORDS;
pub use violation::{CheckError, Expectation, Violation};

/// A JSON Schema of the options of a format.
#[derive(Debug, Clone, PartialEq)]
pub struct OptionsSchema(Value);

/// The largest schema, in bytes of JSON text. Those of the built-in formats take one hundredth of it.
pub const LARGEST: usize = 256 * 1024;

impl OptionsSchema {
    /// Reads a schema from its text, and checks all of it.
    ///
    /// # Errors
    /// What is wrong with it, in words that go on from "its options-schema".
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("is larger than {} KiB", LARGEST >> 10));
        }
        let schema: Value =
            serde_json::from_str(text).map_err(|error| format!("is not JSON: {}", json_error(&error)))?;
        if !schema.is_object() {
            return Err("is not a JSON object".to_owned());
        }
        vet::vet(&schema)?;
        let schema = Self(schema);
        if schema.check(&Map::new()) == Err(CheckError::TooMuch) {
            return Err("refers to itself without end".to_owned());
        }
        schema.vet_defaults()?;
        Ok(schema)
    }

    /// The schema as JSON.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// The names of the options that it describes, in its order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.properties().map(|(name, _)| name)
    }

    /// The options that it describes, each with its own schema, in its order.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &Value)> {
        let properties = self.0.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema))
    }

    /// Whether an option must be there.
    #[must_use]
    pub fn requires(&self, name: &str) -> bool {
        let required = self.0.get("required").and_then(Value::as_array);
        required.into_iter().flatten().any(|required| required == name)
    }

    /// The keywords in it that constrain something which is not checked here, each once.
    #[must_use]
    pub fn unchecked(&self) -> Vec<String> {
        vet::unchecked(&self.0)
    }

    /// Adds the default of every option that is not there and has one.
    pub fn fill_defaults(&self, options: &mut Map<String, Value>) {
        fill::fill(&self.0, options);
    }

    /// Whether the schema allows the options.
    ///
    /// # Errors
    /// The first thing that it does not allow, in the order of the options; or that it takes too much work to find out, which is
    /// the schema's fault.
    pub fn check(&self, options: &Map<String, Value>) -> Result<(), CheckError> {
        check::check(&self.0, &self.0, &Value::Object(options.clone()))
    }

    /// A default that the schema itself refuses would make every config wrong that says nothing.
    fn vet_defaults(&self) -> Result<(), String> {
        for (name, schema) in self.properties() {
            let Some(default) = schema.get("default") else { continue };
            check::check(&self.0, schema, default)
                .map_err(|error| format!("refuses its own default of `{name}`: {error}"))?;
        }
        Ok(())
    }
}

/// The schema that a local reference (`#` or `#/…`, a JSON Pointer of RFC 6901) leads to.
fn refer<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&percent_decoded(reference.strip_prefix('#')?)?)
}

/// A pointer in a URI fragment may have its characters percent-encoded (RFC 6901, section 6).
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;

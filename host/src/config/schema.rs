//! The JSON Schema of a config, for editors.

use schemars::{Schema, SchemaGenerator, generate::SchemaSettings, json_schema};

use super::fields::Document;

/// The JSON Schema (draft 2020-12) of `pk.config.json` and `pk.config.yaml`.
///
/// It takes whatever an output has besides its own fields, because that is for the output's format to judge.
#[must_use]
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>().to_value()
}

/// The words of [`crate::model::Port`], for the schema.
pub(super) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["integer", "null"], "minimum": 1, "maximum": 65535 })
}

pub(super) fn range(_: &mut SchemaGenerator) -> Schema {
    let port = || json_schema!({ "type": "integer", "minimum": 1, "maximum": 65535 });
    json_schema!({ "anyOf": [
        { "type": "array", "items": port(), "minItems": 2, "maxItems": 2 },
        { "type": "string", "pattern": "^\\s*[0-9]{1,5}\\s*-\\s*[0-9]{1,5}\\s*$" },
        { "type": "null" },
    ]})
}

pub(super) fn host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "minLength": 1, "maxLength": 255 })
}

pub(super) fn protocols(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["tcp", "udp", "tcp,udp", "udp,tcp", null] })
}

pub(super) fn hold(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "enum": ["exclusive", "gated", "soft", null] })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{OUTPUT_FIELDS, fields};
    use super::*;

    #[test]
    fn the_schema_knows_the_same_fields_as_the_types() {
        let schema = schema();
        let names = |fields: &Value| fields.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let sorted = |fields: &[&str]| {
            let mut fields: Vec<_> = fields.iter().map(|field| (*field).to_owned()).collect();
            fields.sort();
            fields
        };
        let same = |pointer: &str, fields: &[&str]| {
            let mut names = names(schema.pointer(pointer).unwrap());
            names.sort();
            assert_eq!(names, sorted(fields), "{pointer}");
        };
        same("/properties", fields::DOCUMENT_FIELDS);
        same("/$defs/PortEntry/properties", fields::PORT_FIELDS);
        same("/$defs/PluginSource/properties", fields::PLUGIN_FIELDS);
        same("/$defs/Output/properties", OUTPUT_FIELDS);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["title"], "portkeeper config");
        assert_eq!(schema["additionalProperties"], false);
        assert_ne!(schema["$defs"]["Output"]["additionalProperties"], false, "formats have options of their own");
        assert_eq!(schema["required"], json!(["ports"]));
        for (name, definition) in schema["$defs"].as_object().unwrap() {
            for (field, value) in definition["properties"].as_object().unwrap() {
                assert!(value["description"].is_string(), "{name}.{field} has no description");
            }
        }
    }
}

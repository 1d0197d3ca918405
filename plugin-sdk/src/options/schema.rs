//! The schema of options out of their type.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

/// A JSON Schema of the type's fields that allows no others. Doc comments are the descriptions, and a field that has a default may be left
/// out. Every type is written out where it is used, so that an error can name the option.
#[must_use]
pub fn schema<T: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The names of Rust types mean nothing to the people who write options.
    schema.remove("title");
    schema.remove("description");
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.as_value().to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    /// Not for users.
    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is asked for")]
    struct Sample {
        /// How far
        #[serde(default)]
        indent: u8,
        #[schemars(length(min = 1))]
        services: BTreeMap<String, Style>,
        names: Option<Vec<String>>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Style {
        Plain,
        Wide,
    }

    #[test]
    fn fields_are_options_and_others_are_not_allowed() {
        let schema: serde_json::Value = serde_json::from_str(&schema::<Sample>()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["required"], json!(["services"]));
        let indent = json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255, "default": 0, "description": "How far" });
        assert_eq!(schema["properties"]["indent"], indent);
        assert_eq!(schema["properties"]["services"]["additionalProperties"]["enum"], json!(["plain", "wide"]));
        assert!(schema.get("title").is_none() && schema.get("description").is_none());
    }
}

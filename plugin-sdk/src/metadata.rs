//! Who a plugin is.

use crate::Attributes;

/// A schema that allows no options at all.
const NO_OPTIONS: &str = r#"{"type": "object", "properties": {}, "additionalProperties": false}"#;

/// Who a plugin is, and what it renders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The plugin's name, for people.
    pub name: String,
    /// The plugin's version, for people: `env!("CARGO_PKG_VERSION")`.
    pub version: String,
    /// One line about what it writes.
    pub description: String,
    /// The values of an output's `type` that this plugin renders.
    pub output_types: Vec<String>,
    /// Where an output is written whose config has no `path`. None makes `path` a must.
    pub default_path: Option<String>,
    /// A JSON Schema of the options object. Its `properties` list every option, and `additionalProperties` is false, because the
    /// host checks the options against it before the plugin runs.
    pub options_schema: String,
    /// Known names: `default-inputs`, see [`Metadata::default_inputs`].
    pub attrs: Attributes,
}

impl Metadata {
    /// A plugin without options, default path and output types.
    #[must_use]
    pub fn new(name: &str, version: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            description: description.to_owned(),
            options_schema: NO_OPTIONS.to_owned(),
            ..Self::default()
        }
    }

    /// The same for these values of an output's `type`.
    #[must_use]
    pub fn output_types<'a>(mut self, types: impl IntoIterator<Item = &'a str>) -> Self {
        self.output_types = types.into_iter().map(str::to_owned).collect();
        self
    }

    /// The same with the place of an output whose config has no `path`.
    #[must_use]
    pub fn default_path(mut self, path: &str) -> Self {
        self.default_path = Some(path.to_owned());
        self
    }

    /// The same with a JSON Schema of the options.
    #[must_use]
    pub fn options_schema(mut self, schema: &str) -> Self {
        self.options_schema = schema.to_owned();
        self
    }

    /// The same with the schema of this type's options: its fields are the options, their doc comments the descriptions, and what has
    /// a default may be left out. Needs the feature `schema`.
    ///
    /// ```
    /// use portkeeper_plugin_sdk::Metadata;
    /// use portkeeper_plugin_sdk::schemars::JsonSchema;
    ///
    /// #[derive(serde::Deserialize, JsonSchema)]
    /// #[schemars(crate = "portkeeper_plugin_sdk::schemars")]
    /// struct Options {
    ///     /// What stands between a name and its value
    ///     separator: String,
    /// }
    ///
    /// let metadata = Metadata::new("lines", "0.1.0", "A line for each entry").options::<Options>();
    /// assert!(metadata.options_schema.contains(r#""description":"What stands between a name and its value""#));
    /// ```
    #[cfg(feature = "schema")]
    #[must_use]
    pub fn options<T: schemars::JsonSchema>(self) -> Self {
        self.options_schema(&crate::options::schema::<T>())
    }

    /// The same with the files that the host hands over as `inputs` when the config names none and the file is there.
    #[must_use]
    pub fn default_inputs<'a>(mut self, paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths: Vec<_> = paths.into_iter().collect();
        self.attrs.push(("default-inputs".to_owned(), paths.join("\n")));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_has_no_options_until_it_says_so() {
        let schema: serde_json::Value = serde_json::from_str(&Metadata::new("a", "1", "d").options_schema).unwrap();
        assert_eq!(schema["additionalProperties"], false);
    }

    #[test]
    fn default_inputs_are_separated_by_line_feeds() {
        let metadata = Metadata::new("a", "1", "d").default_inputs(["x.yaml", "y.yaml"]);
        assert_eq!(metadata.attrs, [("default-inputs".to_owned(), "x.yaml\ny.yaml".to_owned())]);
    }
}

//! Puts the schemas of formats into the schema of the config, so that editors complete options.

use serde_json::{Map, Value, json};

use super::OptionsSchema;

/// The schema of the config, with what each type of output allows: an output of such a type has the fields `common` to all outputs
/// and the options of its format, and nothing else if its format says so. Each entry: the names of one type, its usual path, and
/// its schema.
///
/// The config's schema must describe an output under `$defs/Output`.
pub fn embed<'a>(
    config: &mut Value,
    common: &[&str],
    formats: impl IntoIterator<Item = (&'a [String], Option<&'a str>, &'a OptionsSchema)>,
) {
    let (mut rules, mut definitions, mut names) = (Vec::new(), Map::new(), Vec::new());
    for (types, path, OptionsSchema(schema)) in formats {
        let Some(name) = types.first() else { continue };
        let definition = format!("{name}-output");
        let place = format!("#/$defs/{}", escape(&definition));
        let mut schema = schema.clone();
        move_references(&mut schema, &place);
        allow_common_fields(&mut schema, common, path);
        rules.push(json!({
            "if": { "properties": { "type": { "enum": types } }, "required": ["type"] },
            "then": { "$ref": place },
        }));
        definitions.insert(definition, schema);
        names.extend_from_slice(types);
    }
    if let Some(all) = config.get_mut("$defs").and_then(Value::as_object_mut) {
        all.extend(definitions);
    }
    if let Some(output) = config.pointer_mut("/$defs/Output").and_then(Value::as_object_mut) {
        output.insert("allOf".to_owned(), Value::Array(rules));
    }
    if let Some(kind) = config.pointer_mut("/$defs/Output/properties/type").and_then(Value::as_object_mut) {
        // Editors complete what stands here; another type, of a plugin that is not installed, is allowed all the same.
        kind.insert("anyOf".to_owned(), json!([{ "enum": names }, {}]));
    }
}

/// An output has the fields of all outputs beside its options.
fn allow_common_fields(schema: &mut Value, common: &[&str], path: Option<&str>) {
    let Some(schema) = schema.as_object_mut() else { return };
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    let Some(properties) = properties.as_object_mut() else { return };
    for field in common {
        let usual = path.filter(|_| *field == "path").map(|path| json!({ "default": path }));
        properties.entry(*field).or_insert(usual.unwrap_or(Value::Bool(true)));
    }
    for keyword in ["$schema", "$id"] {
        schema.shift_remove(keyword);
    }
}

/// References are relative to the whole document: here that is another one.
fn move_references(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = format!("{place}{}", reference.strip_prefix('#').unwrap_or(reference));
            }
            // Values and not schemas.
            let is_data = |keyword: &str| matches!(keyword, "const" | "default" | "enum" | "examples");
            object
                .iter_mut()
                .filter(|(keyword, _)| !is_data(keyword))
                .for_each(|(_, inner)| move_references(inner, place));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| move_references(inner, place)),
        _ => {}
    }
}

/// A name in a JSON Pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

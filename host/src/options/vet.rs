//! Whether a schema is one that can be used here.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{pattern, refer};

/// The keywords that are checked. All others constrain nothing here.
pub const KEYWORDS: &[&str] = &[
    "$defs",
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "definitions",
    "else",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "if",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "not",
    "oneOf",
    "pattern",
    "patternProperties",
    "prefixItems",
    "properties",
    "propertyNames",
    "required",
    "then",
    "type",
    "uniqueItems",
];

/// Keywords that only inform people, editors and other tools (Validation, sections 7 and 9).
const ANNOTATIONS: &[&str] = &[
    "$comment",
    "$id",
    "$schema",
    "deprecated",
    "description",
    "examples",
    "format",
    "readOnly",
    "title",
    "writeOnly",
];

/// How deep schemas may lie in each other. References don't count.
const DEEPEST: usize = 32;

/// What a keyword's value has to be.
enum Shape {
    Schema,
    Schemas,
    NamedSchemas,
    Types,
    Names,
    List,
    Count,
    Number,
    Flag,
    Pattern,
    Reference,
    Anything,
}

fn shape(keyword: &str) -> Shape {
    match keyword {
        "additionalProperties" | "else" | "if" | "items" | "not" | "propertyNames" | "then" => Shape::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Shape::Schemas,
        "$defs" | "definitions" | "patternProperties" | "properties" => Shape::NamedSchemas,
        "type" => Shape::Types,
        "required" => Shape::Names,
        "enum" => Shape::List,
        "maxItems" | "maxLength" | "maxProperties" | "minItems" | "minLength" | "minProperties" => Shape::Count,
        "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" => Shape::Number,
        "uniqueItems" => Shape::Flag,
        "pattern" => Shape::Pattern,
        "$ref" => Shape::Reference,
        _ => Shape::Anything,
    }
}

/// Checks a whole schema.
pub(super) fn vet(root: &Value) -> Result<(), String> {
    walk(root, 0, &mut |_, keyword, value| vet_keyword(root, keyword, value))
}

/// The keywords that would constrain something and are not checked.
pub(super) fn unchecked(root: &Value) -> Vec<String> {
    let mut found = BTreeSet::new();
    // What was vetted can be walked.
    let _ = walk(root, 0, &mut |_, keyword, _| {
        if !KEYWORDS.contains(&keyword) && !ANNOTATIONS.contains(&keyword) {
            found.insert(keyword.to_owned());
        }
        Ok(())
    });
    found.into_iter().collect()
}

/// What is done with each keyword: the schema that it stands in, its name and its value.
type Visit<'a> = &'a mut dyn FnMut(&Value, &str, &Value) -> Result<(), String>;

/// Goes to every keyword of the schema and of those in it.
fn walk(schema: &Value, depth: usize, visit: Visit<'_>) -> Result<(), String> {
    let keywords = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(keywords) => keywords,
        _ => return Err(format!("has {} where a schema belongs", super::violation::short(schema))),
    };
    if depth > DEEPEST {
        return Err(format!("has schemas in schemas, more than {DEEPEST} deep"));
    }
    for (keyword, value) in keywords {
        visit(schema, keyword, value)?;
        match (shape(keyword), value) {
            (Shape::Schema, inner) => walk(inner, depth + 1, visit)?,
            (Shape::Schemas, Value::Array(inner)) => {
                inner.iter().try_for_each(|inner| walk(inner, depth + 1, visit))?;
            }
            (Shape::NamedSchemas, Value::Object(inner)) => {
                inner.values().try_for_each(|inner| walk(inner, depth + 1, visit))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn vet_keyword(root: &Value, keyword: &str, value: &Value) -> Result<(), String> {
    let texts = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
    let (fits, expected) = match shape(keyword) {
        Shape::Schema | Shape::Anything => (true, ""),
        Shape::Schemas => (value.as_array().is_some_and(|list| !list.is_empty()), "a list of schemas"),
        Shape::NamedSchemas => {
            if keyword == "patternProperties" {
                value.as_object().into_iter().flat_map(serde_json::Map::keys).try_for_each(|text| vet_pattern(text))?;
            }
            (value.is_object(), "an object of schemas")
        }
        Shape::Types => (is_type(value) || value.as_array().is_some_and(|all| all.iter().all(is_type)), "types"),
        Shape::Names => (texts(value), "a list of names"),
        Shape::List => (value.is_array(), "a list"),
        Shape::Count => (value.as_f64().is_some_and(|number| number >= 0.0 && number.fract() == 0.0), "a whole number"),
        Shape::Number => (value.is_number(), "a number"),
        Shape::Flag => (value.is_boolean(), "true or false"),
        Shape::Pattern => {
            vet_pattern(value.as_str().unwrap_or_default())?;
            (value.is_string(), "text")
        }
        Shape::Reference => {
            vet_reference(root, value.as_str().unwrap_or_default())?;
            (value.is_string(), "text")
        }
    };
    if fits { Ok(()) } else { Err(format!("has a `{keyword}` that is not {expected}")) }
}

fn is_type(value: &Value) -> bool {
    matches!(value.as_str(), Some("array" | "boolean" | "integer" | "null" | "number" | "object" | "string"))
}

fn vet_pattern(text: &str) -> Result<(), String> {
    pattern::compile(text).map(drop).map_err(|error| format!("has a pattern that cannot be used: {error}"))
}

fn vet_reference(root: &Value, reference: &str) -> Result<(), String> {
    let reference_text = super::violation::shown(reference);
    if !reference.starts_with('#') {
        return Err(format!("refers to {reference_text}, and nothing is ever fetched: copy it under `$defs`"));
    }
    match refer(root, reference) {
        Some(Value::Object(_) | Value::Bool(_)) => Ok(()),
        _ => Err(format!("refers to {reference_text}, where there is no schema")),
    }
}

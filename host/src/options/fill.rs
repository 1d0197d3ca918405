//! Fills in defaults.

use serde_json::{Map, Value};

use super::refer;

/// How far objects and references are followed: a schema may refer to itself.
const DEEPEST: usize = 32;

/// Adds the default of every property that is missing, also in the objects that are there. What lies behind a choice (`anyOf` and the
/// like) is left alone, because the choice may depend on it.
pub(super) fn fill(root: &Value, options: &mut Map<String, Value>) {
    fill_object(root, root, options, 0);
}

fn fill_object(root: &Value, schema: &Value, object: &mut Map<String, Value>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    if let Some(other) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| refer(root, reference)) {
        fill_object(root, other, object, depth + 1);
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        match object.get_mut(name) {
            Some(Value::Object(inner)) => fill_object(root, property, inner, depth + 1),
            Some(_) => {}
            None => {
                if let Some(default) = property.get("default") {
                    object.insert(name.clone(), default.clone());
                }
            }
        }
    }
}

//! Checks a value against a schema (JSON Schema Core and Validation, draft 2020-12).

use std::cell::Cell;

use serde_json::{Map, Value};

use super::bounds::{count, range};
use super::value::{is_of_type, same, words};
use super::violation::{CheckError, Expectation, Violation};
use super::{pattern, refer};
use crate::document::FieldPath;

/// How many schemas are applied to how many values, at most. The options of a whole config take some thousand.
const MOST_STEPS: u64 = 1_000_000;

/// How deep schemas are applied in each other, references included.
const DEEPEST: usize = 150;

pub(super) type Checked = Result<(), CheckError>;

/// Whether the schema, which is a part of `root`, allows the value.
pub(super) fn check(root: &Value, schema: &Value, value: &Value) -> Checked {
    Check { root, steps: Cell::new(MOST_STEPS) }.apply(schema, value, &FieldPath::root(), 0)
}

/// A check that is going on.
pub(super) struct Check<'a> {
    pub(super) root: &'a Value,
    steps: Cell<u64>,
}

pub(super) fn refuse<T>(violation: Violation) -> Result<T, CheckError> {
    Err(CheckError::Violation(violation))
}

pub(super) fn unless(fits: bool, violation: impl FnOnce() -> Violation) -> Checked {
    if fits { Ok(()) } else { refuse(violation()) }
}

impl Check<'_> {
    /// Whether the schema allows the value, which stands at `at`.
    pub(super) fn apply(&self, schema: &Value, value: &Value, at: &FieldPath, depth: usize) -> Checked {
        self.spend(1)?;
        if depth > DEEPEST {
            return Err(CheckError::TooMuch);
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            Value::Bool(false) => return refuse(Violation::value(at.clone(), "nothing", value)),
            _ => return Ok(()),
        };
        if let Some(other) = text(schema, "$ref").and_then(|reference| refer(self.root, reference)) {
            self.apply(other, value, at, depth + 1)?;
        }
        self.kind(schema, value, at)?;
        match value {
            Value::Object(object) => self.object(schema, object, value, at, depth)?,
            Value::Array(list) => self.list(schema, list, value, at, depth)?,
            Value::String(string) => self.string(schema, string, value, at)?,
            Value::Number(number) => range(schema, number, value, at)?,
            Value::Null | Value::Bool(_) => {}
        }
        self.combinations(schema, value, at, depth)
    }

    fn spend(&self, steps: usize) -> Checked {
        let left = self.steps.get().checked_sub(steps as u64).ok_or(CheckError::TooMuch)?;
        self.steps.set(left);
        Ok(())
    }

    /// `type`, `enum` and `const`.
    fn kind(&self, schema: &Map<String, Value>, value: &Value, at: &FieldPath) -> Checked {
        if let Some(types) = schema.get("type") {
            let types: Vec<_> = one_or_many(types).filter_map(Value::as_str).collect();
            unless(types.iter().any(|name| is_of_type(value, name)), || {
                Violation::value(
                    at.clone(),
                    types.iter().map(|name| words(name)).collect::<Vec<_>>().join(" or "),
                    value,
                )
            })?;
        }
        for allowed in [schema.get("const").map(std::slice::from_ref), list(schema, "enum")].into_iter().flatten() {
            self.spend(allowed.len())?;
            let is_one = allowed.iter().any(|allowed| same(allowed, value));
            unless(is_one, || Violation::choice(at.clone(), &allowed.iter().collect::<Vec<_>>(), value))?;
        }
        Ok(())
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        value: &Value,
        at: &FieldPath,
        depth: usize,
    ) -> Checked {
        let known = schema.get("properties").and_then(Value::as_object);
        let patterns = schema.get("patternProperties").and_then(Value::as_object);
        for (name, inner) in object {
            let mut is_known = false;
            if let Some(property) = known.and_then(|known| known.get(name)) {
                is_known = true;
                self.apply(property, inner, &at.clone().key(name), depth + 1)?;
            }
            for (expression, property) in patterns.into_iter().flatten() {
                if self.matches(expression, name)? {
                    is_known = true;
                    self.apply(property, inner, &at.clone().key(name), depth + 1)?;
                }
            }
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) if !is_known => {
                    let known = known.into_iter().flat_map(Map::keys).cloned().collect();
                    let expected = Expectation::Unknown { name: name.clone(), known };
                    return refuse(Violation { field: at.clone().key(name), expected });
                }
                Some(other) if !is_known => self.apply(other, inner, &at.clone().key(name), depth + 1)?,
                _ => {}
            }
            if let Some(names) = schema.get("propertyNames") {
                self.apply(names, &Value::String(name.clone()), &at.clone().key(name), depth + 1)?;
            }
        }
        for name in list(schema, "required").into_iter().flatten().filter_map(Value::as_str) {
            unless(object.contains_key(name), || Violation {
                field: at.clone(),
                expected: Expectation::Missing(name.to_owned()),
            })?;
        }
        count(schema, ["minProperties", "maxProperties"], object.len(), "entries", value, at)
    }

    fn list(
        &self,
        schema: &Map<String, Value>,
        items: &[Value],
        value: &Value,
        at: &FieldPath,
        depth: usize,
    ) -> Checked {
        let prefix = list(schema, "prefixItems").unwrap_or_default();
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = prefix.get(index).or_else(|| schema.get("items")) {
                self.apply(schema, item, &at.clone().index(index), depth + 1)?;
            }
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            for (index, item) in items.iter().enumerate() {
                self.spend(index)?;
                unless(!items[..index].iter().any(|other| same(other, item)), || {
                    Violation::value(at.clone().index(index), "every item once", item)
                })?;
            }
        }
        count(schema, ["minItems", "maxItems"], items.len(), "items", value, at)
    }

    fn string(&self, schema: &Map<String, Value>, string: &str, value: &Value, at: &FieldPath) -> Checked {
        count(schema, ["minLength", "maxLength"], string.chars().count(), "characters", value, at)?;
        let Some(expression) = text(schema, "pattern") else { return Ok(()) };
        let fits = self.matches(expression, string)?;
        unless(fits, || {
            Violation::value(at.clone(), format!("text like {}", super::violation::shown(expression)), value)
        })
    }

    /// Not anchored: the expression may match anywhere (Core, 6.4).
    fn matches(&self, expression: &str, text: &str) -> Result<bool, CheckError> {
        self.spend((expression.len() + 1).saturating_mul(text.len() + 1))?;
        Ok(pattern::compile(expression).is_ok_and(|regex| regex.is_match(text)))
    }
}

fn text<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Value::as_str)
}

pub(super) fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice)
}

pub(super) fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    }
    .iter()
}

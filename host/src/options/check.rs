//! Checks a value against a schema (JSON Schema Core and Validation, draft 2020-12).

use std::cell::Cell;

use serde_json::{Map, Number, Value};

use super::violation::{CheckError, Expectation, Violation};
use super::{pattern, refer};
use crate::document::FieldPath;

/// How many schemas are applied to how many values, at most. The options of a whole config take some thousand.
const MOST_STEPS: u64 = 1_000_000;

/// How deep schemas are applied in each other, references included.
const DEEPEST: usize = 150;

type Checked = Result<(), CheckError>;

/// Whether the schema, which is a part of `root`, allows the value.
pub(super) fn check(root: &Value, schema: &Value, value: &Value) -> Checked {
    Check { root, steps: Cell::new(MOST_STEPS) }.apply(schema, value, &FieldPath::root(), 0)
}

struct Check<'a> {
    root: &'a Value,
    steps: Cell<u64>,
}

fn refuse<T>(violation: Violation) -> Result<T, CheckError> {
    Err(CheckError::Violation(violation))
}

fn unless(fits: bool, violation: impl FnOnce() -> Violation) -> Checked {
    if fits { Ok(()) } else { refuse(violation()) }
}

impl Check<'_> {
    fn apply(&self, schema: &Value, value: &Value, at: &FieldPath, depth: usize) -> Checked {
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
        let allowed: Option<Vec<_>> = match (schema.get("const"), list(schema, "enum")) {
            (Some(only), _) => Some(vec![only]),
            (None, Some(values)) => Some(values.iter().collect()),
            (None, None) => None,
        };
        let Some(allowed) = allowed else { return Ok(()) };
        self.spend(allowed.len())?;
        unless(allowed.iter().any(|allowed| same(allowed, value)), || Violation::choice(at.clone(), &allowed, value))
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

    /// `allOf`, `anyOf`, `oneOf`, `not`, and `if` with its `then` and `else`.
    fn combinations(&self, schema: &Map<String, Value>, value: &Value, at: &FieldPath, depth: usize) -> Checked {
        let apply = |schema: &Value| self.apply(schema, value, at, depth + 1);
        list(schema, "allOf").into_iter().flatten().try_for_each(apply)?;
        if let Some(choices) = list(schema, "anyOf") {
            self.at_least_one(choices, value, at, depth)?;
        }
        if let Some(choices) = list(schema, "oneOf")
            && self.at_least_one(choices, value, at, depth)? > 1
        {
            return refuse(Violation::value(at.clone(), "only one of several forms", value));
        }
        if let Some(forbidden) = schema.get("not")
            && fits(apply(forbidden))?
        {
            return refuse(Violation::value(at.clone(), "something else", value));
        }
        let Some(condition) = schema.get("if") else { return Ok(()) };
        let branch = if fits(apply(condition))? { "then" } else { "else" };
        schema.get(branch).map_or(Ok(()), apply)
    }

    /// How many of the choices allow the value.
    fn at_least_one(
        &self,
        choices: &[Value],
        value: &Value,
        at: &FieldPath,
        depth: usize,
    ) -> Result<usize, CheckError> {
        let mut matching = 0;
        let mut nearest: Option<Violation> = None;
        for choice in choices {
            match self.apply(choice, value, at, depth + 1) {
                Ok(()) => matching += 1,
                Err(CheckError::TooMuch) => return Err(CheckError::TooMuch),
                // The choice that was meant is the one whose violation lies deepest.
                Err(CheckError::Violation(violation)) => {
                    let depth = |violation: &Violation| violation.field.steps().len();
                    if nearest.as_ref().is_none_or(|nearest| depth(&violation) > depth(nearest)) {
                        nearest = Some(violation);
                    }
                }
            }
        }
        if matching > 0 {
            return Ok(matching);
        }
        refuse(match nearest {
            Some(nearest) if nearest.field != *at => nearest,
            _ => self.none_of(choices, value, at),
        })
    }

    /// What to say when none of the choices allows the value itself.
    fn none_of(&self, choices: &[Value], value: &Value, at: &FieldPath) -> Violation {
        let choices = choices.iter().map(|choice| self.referred(choice));
        let (mut values, mut types) = (Vec::new(), Vec::new());
        for choice in choices {
            match (choice.get("const"), choice.get("enum").and_then(Value::as_array), choice.get("type")) {
                (Some(only), ..) => values.push(only),
                (_, Some(several), _) => values.extend(several),
                (.., Some(kinds)) => types.extend(one_or_many(kinds).filter_map(Value::as_str).map(words)),
                _ => types.push("another form"),
            }
        }
        if types.is_empty() {
            return Violation::choice(at.clone(), &values, value);
        }
        let values = values.iter().map(|value| super::violation::short(value));
        let all: Vec<_> = values.chain(types.into_iter().map(str::to_owned)).collect();
        Violation::value(at.clone(), all.join(" or "), value)
    }

    fn referred<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        reference.and_then(|reference| refer(self.root, reference)).unwrap_or(schema)
    }
}

/// Whether it passed; too much work is no answer.
fn fits(checked: Checked) -> Result<bool, CheckError> {
    match checked {
        Ok(()) => Ok(true),
        Err(CheckError::Violation(_)) => Ok(false),
        Err(CheckError::TooMuch) => Err(CheckError::TooMuch),
    }
}

fn text<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a str> {
    schema.get(keyword).and_then(Value::as_str)
}

fn list<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Option<&'a [Value]> {
    schema.get(keyword).and_then(Value::as_array).map(Vec::as_slice)
}

fn one_or_many(value: &Value) -> impl Iterator<Item = &Value> {
    match value {
        Value::Array(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    }
    .iter()
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        // A number without a fraction, however it is written (Core, 4.2.3).
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

fn words(name: &str) -> &'static str {
    match name {
        "null" => "null",
        "boolean" => "true or false",
        "string" => "text in quotes",
        "array" => "a list",
        "object" => "an object",
        "integer" => "a whole number",
        _ => "a number",
    }
}

fn count(
    schema: &Map<String, Value>,
    [least, most]: [&str; 2],
    found: usize,
    what: &str,
    value: &Value,
    at: &FieldPath,
) -> Checked {
    let limit = |keyword: &str| schema.get(keyword).and_then(Value::as_f64);
    let found = found as f64;
    if let Some(least) = limit(least).filter(|least| found < *least) {
        return refuse(Violation::value(at.clone(), format!("at least {least} {what}"), value));
    }
    match limit(most).filter(|most| found > *most) {
        Some(most) => refuse(Violation::value(at.clone(), format!("at most {most} {what}"), value)),
        None => Ok(()),
    }
}

fn range(schema: &Map<String, Value>, number: &Number, value: &Value, at: &FieldPath) -> Checked {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let bounds = [
        ("minimum", &[Greater, Equal][..], "at least"),
        ("maximum", &[Less, Equal], "at most"),
        ("exclusiveMinimum", &[Greater], "more than"),
        ("exclusiveMaximum", &[Less], "less than"),
    ];
    for (keyword, allowed, words) in bounds {
        let Some(Value::Number(bound)) = schema.get(keyword) else { continue };
        let fits = compare(number, bound).is_some_and(|order| allowed.contains(&order));
        unless(fits, || Violation::value(at.clone(), format!("{words} {bound}"), value))?;
    }
    Ok(())
}

/// Whole numbers exactly, others as far as they are kept.
fn compare(one: &Number, other: &Number) -> Option<std::cmp::Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(one), whole(other)) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

/// Whether two values are equal as JSON Schema has it (Core, 4.2.2): numbers by their value, objects whatever their order.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => compare(one, other) == Some(std::cmp::Ordering::Equal),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has = |(name, value): (&String, &Value)| other.get(name).is_some_and(|other| same(value, other));
            one.len() == other.len() && one.iter().all(has)
        }
        _ => one == other,
    }
}

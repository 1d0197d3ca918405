//! Schemas that are made of schemas: all, any or one of several, not one, and one or another.

use serde_json::{Map, Value};

use super::check::{Check, Checked, list, one_or_many, refuse};
use super::refer;
use super::value::words;
use super::violation::{CheckError, Violation, short};
use crate::document::FieldPath;

impl Check<'_> {
    /// `allOf`, `anyOf`, `oneOf`, `not`, and `if` with its `then` and `else`.
    pub(super) fn combinations(
        &self,
        schema: &Map<String, Value>,
        value: &Value,
        at: &FieldPath,
        depth: usize,
    ) -> Checked {
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
            && fits(&apply(forbidden))?
        {
            return refuse(Violation::value(at.clone(), "something else", value));
        }
        let Some(condition) = schema.get("if") else { return Ok(()) };
        let branch = if fits(&apply(condition))? { "then" } else { "else" };
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
        let values = values.iter().map(|value| short(value));
        let all: Vec<_> = values.chain(types.into_iter().map(str::to_owned)).collect();
        Violation::value(at.clone(), all.join(" or "), value)
    }

    fn referred<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let reference = schema.get("$ref").and_then(Value::as_str);
        reference.and_then(|reference| refer(self.root, reference)).unwrap_or(schema)
    }
}

/// Whether it passed; too much work is no answer.
fn fits(checked: &Checked) -> Result<bool, CheckError> {
    match checked {
        Ok(()) => Ok(true),
        Err(CheckError::Violation(_)) => Ok(false),
        Err(CheckError::TooMuch) => Err(CheckError::TooMuch),
    }
}

//! How many, and how much.

use std::cmp::Ordering::{Equal, Greater, Less};

use serde_json::{Map, Number, Value};

use super::check::{Checked, refuse, unless};
use super::value::compare;
use super::violation::Violation;
use crate::document::FieldPath;

/// Whether there are as many as the two keywords allow.
pub(super) fn count(
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

/// Whether the number is in the range.
pub(super) fn range(schema: &Map<String, Value>, number: &Number, value: &Value, at: &FieldPath) -> Checked {
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

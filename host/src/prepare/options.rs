//! The options of an output: checked against its format's schema, and with every default filled in.

use serde_json::{Map, Value};

use super::{Job, PrepareError};
use crate::config::{OUTPUT_FIELDS, Output};
use crate::document::closest;
use crate::options::{CheckError, Expectation, Violation};
use crate::plugins::{Broken, Plugin};

/// The options that the plugin gets.
pub(super) fn complete(
    job: &Job<'_>,
    index: usize,
    output: &Output,
    plugin: &Plugin,
) -> Result<Map<String, Value>, PrepareError> {
    let schema = &plugin.metadata().options_schema;
    let mut options = output.options.clone();
    schema.fill_defaults(&mut options);
    schema.check(&options).map_err(|error| match error {
        CheckError::Violation(violation) => {
            job.wrong("outputs", index, &violation.field, explain(&output.format, &violation))
        }
        CheckError::TooMuch => {
            Broken { origin: plugin.origin().clone(), reason: error.to_string(), log: Vec::new() }.into()
        }
    })?;
    Ok(options)
}

/// Beside its options an output has the fields of all outputs, and one of those may have been meant.
fn explain(format: &str, violation: &Violation) -> String {
    let at_top = violation.field.steps().len() == 1;
    let Expectation::Unknown { name, known } = &violation.expected else { return violation.to_string() };
    if !at_top {
        return violation.to_string();
    }
    let names = || known.iter().map(String::as_str).chain(OUTPUT_FIELDS.iter().copied());
    let advice = match closest(name, names()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
    };
    format!("the type `{format}` has no option `{name}`; {advice}")
}

//! The language: what a template can say.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, escape_formatter};
use portkeeper_plugin_sdk::json::Value as Json;
use portkeeper_plugin_sdk::{Failure, Request, Reservation};

use crate::{filters, line_ends};

/// How deep a template may nest. Settings need no more than loops in loops.
const DEEPEST: usize = 50;

/// The template's text with the variables put in.
pub(crate) fn render(path: &str, template: &str, variables: Value) -> Result<String, Failure> {
    let environment = environment();
    let template = line_ends::kept(template);
    let template = environment.template_from_named_str(path, &template);
    template.and_then(|template| template.render(variables)).map_err(|error| explain(path, &error))
}

/// The language without what a file of settings does not need.
fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_recursion_limit(DEEPEST);
    // As files of settings write them, and not as Python does.
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool if value.is_true() => Ok(out.write_str("true")?),
        ValueKind::Bool => Ok(out.write_str("false")?),
        ValueKind::None => Ok(out.write_str("null")?),
        _ => escape_formatter(out, state, value),
    });
    // A line with nothing but `{% if ... %}` on it leaves no empty line behind; `line_ends` sees to the others.
    let layout = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(layout.unwrap_or_default());
    filters::add(&mut environment);
    environment
}

/// The variables: the map's keys, or the names of the reservations; and `project`, `reservations` where the map does not name them.
pub(crate) fn variables(request: &Request) -> Result<Value, Failure> {
    let map = request.json_map()?;
    let more = [("project", Value::from(request.project.as_str())), ("reservations", reservations(request))];
    let more = more.into_iter().filter(|(name, _)| map.get(name).is_none());
    Ok(Value::from_pairs(map.iter().map(|(key, inner)| (key, value(inner))).chain(more)))
}

fn reservations(request: &Request) -> Value {
    let reservation = |reservation: &Reservation| {
        Value::from_pairs([
            ("name", Value::from(reservation.name.as_str())),
            ("port", Value::from(reservation.port)),
            ("protocol", Value::from(reservation.protocol.as_str())),
            ("host", Value::from(reservation.host.as_deref().unwrap_or("localhost"))),
        ])
    };
    request.reservations.iter().map(reservation).collect()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => items.iter().map(value).collect(),
        Json::Object(map) => Value::from_pairs(map.iter().map(|(key, inner)| (key, value(inner)))),
    }
}

/// What the template's author can mend.
fn explain(path: &str, error: &minijinja::Error) -> Failure {
    let what = match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => "a variable is used that does not exist".to_owned(),
        (kind, None) => kind.to_string(),
        (_, Some(detail)) => detail.to_owned(),
    };
    let place = error.line().map(|line| format!(" line {line}")).unwrap_or_default();
    let failure = Failure::bad_input(format!("`{path}`{place}: {what}"));
    match error.kind() {
        ErrorKind::UndefinedError => failure.help(
            "The keys of the output's `map` are the variables; `{{ NAME | default('x') }}` allows one to be missing.",
        ),
        _ => failure,
    }
}

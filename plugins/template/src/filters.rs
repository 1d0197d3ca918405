//! The filters and tests that a file of settings needs, under the names that they have in Jinja.
//!
//! minijinja has them too, but only all together, and they would make up half of the plugin.

use minijinja::{Environment, Error, ErrorKind, Value};

/// Makes them known.
pub(crate) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("default", default);
    environment.add_filter("int", int);
    environment.add_filter("join", join);
    environment.add_filter("length", length);
    environment.add_filter("lower", |text: &str| text.to_ascii_lowercase());
    environment.add_filter("replace", |text: &str, from: &str, to: &str| text.replace(from, to));
    environment.add_filter("trim", |text: &str| text.trim().to_owned());
    environment.add_filter("upper", |text: &str| text.to_ascii_uppercase());
    environment.add_test("defined", |value: &Value| !value.is_undefined());
    environment.add_test("undefined", |value: &Value| value.is_undefined());
    environment.add_test("none", |value: &Value| value.is_none());
}

/// The value, or another one where there is none; with a third argument that is true also where it is empty, zero or false.
fn default(value: &Value, other: &Value, also_empty: Option<bool>) -> Value {
    let is_missing = value.is_undefined() || (also_empty == Some(true) && !value.is_true());
    if is_missing { other.clone() } else { value.clone() }
}

/// The whole number that a text or number is, so that a template can count: the map's ports are text.
fn int(value: &Value, otherwise: Option<&Value>) -> Result<Value, Error> {
    let text = value.to_string();
    let text = text.trim();
    let whole = text.parse::<i64>().ok().or_else(|| text.split_once('.').and_then(|(whole, _)| whole.parse().ok()));
    let wrong = || Error::new(ErrorKind::InvalidOperation, format!("`{text}` is not a number"));
    whole.map(Value::from).or_else(|| otherwise.cloned()).ok_or_else(wrong)
}

/// The items as one text.
fn join(items: &Value, separator: Option<&str>) -> Result<String, Error> {
    let items: Vec<_> = items.try_iter()?.map(|item| item.to_string()).collect();
    Ok(items.join(separator.unwrap_or_default()))
}

fn length(value: &Value) -> Result<usize, Error> {
    value.len().ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "this has no length"))
}

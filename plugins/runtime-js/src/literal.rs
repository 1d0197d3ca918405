//! JSON as a JavaScript expression that is safe in a script file and inside of a page's `<script>`.

use portkeeper_plugin_sdk::json::{Map, Value};

/// The map as an object literal on one line.
pub(crate) fn object(map: &Map) -> String {
    let items: Vec<_> = map.iter().map(|(key, value)| format!("{}: {}", name(key), expression(value))).collect();
    format!("{{{}}}", items.join(", "))
}

/// In a literal, `"__proto__": x` sets the prototype and makes no property (ECMA-262, B.3.1); a computed name makes one.
fn name(key: &str) -> String {
    if key == "__proto__" { format!("[{}]", string(key)) } else { string(key) }
}

fn expression(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Object(map) => object(map),
        Value::Array(items) => format!("[{}]", items.iter().map(expression).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A string without `<`, so that no `</script>` or `<!--` ends or changes a page's script (HTML, 4.12.1.3), without the `]]>` that ends one
/// in XHTML, and without the two line separators, which ended a string before ECMAScript 2019.
fn string(text: &str) -> String {
    let json = Value::from(text).to_string();
    json.replace('<', "\\u003c")
        .replace("]]>", "]]\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

use serde_json::{Value, json};

use super::*;

const SCHEMA: &str = r##"{
  "type": "object",
  "properties": {
    "export": { "type": "boolean", "default": false },
    "dialect": { "$ref": "#/$defs/Dialect" },
    "indent": { "type": "integer", "minimum": 0, "maximum": 8, "default": 2 },
    "width": { "type": ["integer", "null"] },
    "services": { "type": "object", "additionalProperties": { "type": "integer" } },
    "name": { "type": "string", "pattern": "^[a-z]+$" },
    "style": { "type": "object", "properties": { "quotes": { "type": "string", "default": "double" } } }
  },
  "required": ["services"],
  "additionalProperties": false,
  "$defs": { "Dialect": { "oneOf": [{ "const": "sh" }, { "const": "fish" }, { "const": "powershell" }] } }
}"##;

fn schema() -> OptionsSchema {
    OptionsSchema::parse(SCHEMA).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "tests write the options in place")]
fn refused(options: Value) -> String {
    match schema().check(options.as_object().unwrap()) {
        Err(CheckError::Violation(violation)) => format!("{}: {violation}", violation.field),
        other => panic!("{options}: {other:?}"),
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_was_meant() {
    let services = json!({ "web": 80 });
    for (options, message) in [
        (json!({}), ": `services` is missing"),
        (json!({ "servces": {} }), "servces: there is no `servces` here; did you mean `services`?"),
        (json!({ "services": services, "export": "yes" }), "export: expected true or false, found \"yes\""),
        (json!({ "services": { "web": "80" } }), "services.web: expected a whole number, found \"80\""),
        (json!({ "services": services, "indent": 9 }), "indent: expected at most 8, found 9"),
        (json!({ "services": services, "width": [] }), "width: expected a whole number or null, found an empty list"),
        (
            json!({ "services": services, "dialect": "fsh" }),
            "dialect: expected one of \"sh\", \"fish\", \"powershell\", found \"fsh\"; did you mean \"fish\"?",
        ),
        (json!({ "services": services, "name": "A1" }), "name: expected text like \"^[a-z]+$\", found \"A1\""),
    ] {
        assert_eq!(refused(options), message);
    }
}

#[test]
fn a_value_has_to_be_the_constant_and_one_of_the_enumerated() {
    let only = |schema: Value| OptionsSchema::parse(&json!({ "properties": { "a": schema } }).to_string()).unwrap();
    let both = only(json!({ "const": "x", "enum": ["y"] }));
    let options = |value: &str| json!({ "a": value }).as_object().unwrap().clone();
    assert!(both.check(&options("x")).is_err() && both.check(&options("y")).is_err());
    only(json!({ "const": "x", "enum": ["x", "y"] })).check(&options("x")).unwrap();
}

#[test]
fn defaults_are_filled_in_where_nothing_is_said() {
    let mut options = json!({ "services": {}, "indent": 4, "style": {} }).as_object().unwrap().clone();
    schema().fill_defaults(&mut options);
    let filled = json!({ "services": {}, "indent": 4, "style": { "quotes": "double" }, "export": false });
    assert_eq!(Value::Object(options.clone()), filled);
    schema().check(&options).unwrap();
}

#[test]
fn a_schema_that_cannot_be_used_is_refused_with_the_reason() {
    for (schema, reason) in [
        ("{", "is not JSON"),
        ("true", "is not a JSON object"),
        (r#"{"type": "text"}"#, "`type` that is not types"),
        (r#"{"properties": {"a": 1}}"#, "1 where a schema belongs"),
        (r#"{"properties": []}"#, "`properties` that is not an object of schemas"),
        (r#"{"$ref": "https://example.com/schema.json"}"#, "nothing is ever fetched"),
        (r#"{"$ref": "file:///etc/passwd"}"#, "nothing is ever fetched"),
        (r##"{"$ref": "#/$defs/A"}"##, "where there is no schema"),
        (r#"{"properties": {"a": {"pattern": "(a"}}}"#, "a pattern that cannot be used"),
        (r#"{"properties": {"a": {"pattern": "(?=a)"}}}"#, "a pattern that cannot be used"),
        (r#"{"properties": {"a": {"type": "integer", "default": "x"}}}"#, "refuses its own default of `a`"),
        (r#"{"minLength": -1}"#, "`minLength` that is not a whole number"),
        (r#"{"anyOf": []}"#, "`anyOf` that is not a list of schemas"),
    ] {
        let error = OptionsSchema::parse(schema).unwrap_err();
        assert!(error.contains(reason), "{schema}: {error}");
    }
    assert!(
        OptionsSchema::parse(&format!("{{\"title\": \"{}\"}}", "x".repeat(LARGEST))).unwrap_err().contains("256 KiB")
    );
    let nested = (0..40).fold("true".to_owned(), |inner, _| format!("{{\"not\": {inner}}}"));
    assert!(OptionsSchema::parse(&nested).unwrap_err().contains("more than 32 deep"));
    let bomb = format!(r#"{{"properties": {{"a": {{"pattern": "{}"}}}}}}"#, "(a{99}){99}");
    assert!(OptionsSchema::parse(&bomb).unwrap_err().contains("cannot be used"));
}

#[test]
fn a_schema_that_never_ends_is_stopped() {
    let options = json!({ "a": "a".repeat(200_000) });
    let options = options.as_object().unwrap();
    for schema in [
        r##"{"$ref": "#"}"##,
        r##"{"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}"##,
        r##"{"$defs": {"0": {"anyOf": [{"$ref": "#/$defs/1"}, {"$ref": "#/$defs/1"}]}, "1": {"$ref": "#/$defs/0"}}, "$ref": "#/$defs/0"}"##,
    ] {
        assert_eq!(OptionsSchema::parse(schema), Err("refers to itself without end".to_owned()), "{schema}");
    }
    for schema in [
        r##"{"properties": {"a": {"$ref": "#/properties/a"}}}"##,
        r##"{"properties": {"a": {"anyOf": [{"$ref": "#/properties/a"}, {"$ref": "#/properties/a"}]}}}"##,
        r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#,
    ] {
        assert_eq!(OptionsSchema::parse(schema).unwrap().check(options), Err(CheckError::TooMuch), "{schema}");
    }
}

#[test]
fn what_is_not_checked_is_named() {
    let schema =
        OptionsSchema::parse(r#"{"properties": {"a": {"multipleOf": 2, "title": "A"}}, "minContains": 1}"#).unwrap();
    assert_eq!(schema.unchecked(), ["minContains", "multipleOf"]);
    assert!(self::schema().unchecked().is_empty());
    assert_eq!(schema.names().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn hostile_words_do_not_reach_a_terminal() {
    let schema = OptionsSchema::parse(r#"{"properties": {"\u001b[31ma": {}}, "additionalProperties": false}"#).unwrap();
    for options in [json!({ "\u{1b}[2Jb": 1 }), json!({ "\u{202e}": 1 })] {
        let error = schema.check(options.as_object().unwrap()).unwrap_err().to_string();
        assert!(!error.chars().any(|c| c.is_control() || c == '\u{202e}'), "{error:?}");
    }
}

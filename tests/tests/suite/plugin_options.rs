//! What a config says to a format: checked before anything happens, completed by editors, and filled in where nothing is said.

use portkeeper_tests::{Ports, Sandbox, WatPlugin};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

const SCHEMA: &str = r##"{
  "type": "object",
  "properties": {
    "dialect": { "$ref": "#/$defs/Dialect" },
    "indent": { "type": "integer", "minimum": 0, "maximum": 8, "default": 2 },
    "style": { "type": "object", "properties": { "quotes": { "type": "boolean", "default": false } } }
  },
  "additionalProperties": false,
  "$defs": { "Dialect": { "enum": ["sh", "fish"] } }
}"##;

/// A plugin that writes the options that it is given. (They lie at the 80th byte of the request.)
fn echo() -> WatPlugin {
    WatPlugin::new("echo").default_path("out.json").options_schema(SCHEMA).on_render(
        "(drop (call $text (local.get $request)))
         (i64.store (i32.const 568) (i64.load (i32.add (local.get $request) (i32.const 60)))) (return (i32.const 512))",
    )
}

fn project(ports: &Ports, output: &Value) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write(sandbox.plugins().join("echo.wasm"), echo().component());
    configure(&sandbox, ports, output);
    sandbox
}

fn configure(sandbox: &Sandbox, ports: &Ports, output: &Value) {
    let config = one_port(ports, json!([{ "type": "env" }, output]));
    sandbox.write("pk.config.json", serde_json::to_string_pretty(&config).unwrap());
}

#[test]
fn a_plugin_gets_the_options_with_every_default() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": "echo", "path": "out.json", "style": {}, "dialect": "fish" }));
    let _ = sandbox.portkeeper("prepare").ok();
    let options: Value = serde_json::from_str(&sandbox.read("out.json")).unwrap();
    assert_eq!(options, json!({ "style": { "quotes": false }, "dialect": "fish", "indent": 2 }));
}

#[test]
fn what_the_schema_does_not_allow_is_refused_with_its_line_before_anything_happens() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": "echo", "path": "out.json" }));
    for (output, field, words) in [
        (json!({ "type": "echo", "indnet": 2 }), "outputs[1].indnet", "did you mean `indent`?"),
        (json!({ "type": "echo", "pth": "x" }), "outputs[1].pth", "did you mean `path`?"),
        (json!({ "type": "echo", "indent": "2" }), "outputs[1].indent", "expected a whole number, found \"2\""),
        (json!({ "type": "echo", "indent": 9 }), "outputs[1].indent", "expected at most 8, found 9"),
        (json!({ "type": "echo", "dialect": "fsh" }), "outputs[1].dialect", "did you mean \"fish\"?"),
        (json!({ "type": "echo", "style": { "quotes": 1 } }), "outputs[1].style.quotes", "expected true or false"),
    ] {
        configure(&sandbox, &ports, &output);
        let line = sandbox.read("pk.config.json").lines().position(|line| line.contains("\"echo\"")).unwrap() + 2;
        let before = sandbox.all_but_registry();
        let outcome = sandbox.portkeeper("prepare").refused(2);
        outcome.says(field).says(words).says("pk.config.json:");
        let lines = [format!(":{line}:"), format!(":{}:", line + 1)];
        assert!(lines.iter().any(|line| outcome.stderr.contains(line)), "line {line}\n{outcome}");
        assert_eq!(sandbox.reserved(), [0; 0]);
        before.assert_unchanged(&outcome);
    }
}

#[test]
fn a_built_in_format_is_checked_in_the_same_way() {
    let ports = Ports::take(1);
    let sandbox =
        project(&ports, &json!({ "type": "docker-compose", "services": { "web": { "SERVICE_PORT": "80" } } }));
    sandbox.portkeeper("prepare").refused(2).says("outputs[1].services.web.SERVICE_PORT").says("whole number");
    configure(&sandbox, &ports, &json!({ "type": "docker-compose" }));
    sandbox.portkeeper("prepare").refused(2).says("`services` is missing");
}

#[test]
fn options_that_take_too_much_work_are_the_plugins_fault() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": "echo", "path": "out.json", "a": "a".repeat(200_000) }));
    let slow = echo().options_schema(r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#);
    sandbox.write(sandbox.plugins().join("echo.wasm"), slow.component());
    sandbox.portkeeper("prepare").refused(3).says("too much work");
}

#[test]
fn the_schema_of_the_config_knows_the_options_of_every_installed_format() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": "echo", "path": "out.json" }));
    let schema = sandbox.portkeeper("schema").ok().json();
    assert!(jsonschema::meta::is_valid(&schema), "{schema}");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let is_valid = |output: Value| validator.is_valid(&one_port(&ports, json!([output])));
    for good in [
        json!({ "type": "echo", "indent": 4, "path": "x", "backup": true, "dialect": "sh" }),
        json!({ "type": "docker-compose", "services": { "web": { "SERVICE_PORT": 80 } } }),
        json!({ "type": "dotenv", "path": ".env" }),
        json!({ "type": "not-installed", "whatever": [1] }),
    ] {
        assert!(is_valid(good.clone()), "{good}");
    }
    for bad in [
        json!({ "type": "echo", "indent": 9 }),
        json!({ "type": "echo", "indnet": 4 }),
        json!({ "type": "echo", "dialect": "fsh" }),
        json!({ "type": "docker-compose" }),
        json!({ "type": "docker-compose", "services": { "web": { "SERVICE_PORT": 0 } } }),
        json!({ "type": "dotenv", "export": true }),
    ] {
        assert!(!is_valid(bad.clone()), "{bad}");
    }
    let output = &schema["$defs"]["Output"]["properties"]["type"];
    assert!(
        output["anyOf"][0]["enum"].as_array().unwrap().contains(&json!("echo")),
        "editors complete types: {output}"
    );
    let default = |format: &str| &schema["$defs"][format]["properties"]["path"]["default"];
    assert_eq!((default("env-output"), default("echo-output")), (&json!(".env"), &Value::Null), "it only proposes one");
    let built_in = sandbox.portkeeper("schema --built-in").ok().stdout;
    assert!(!built_in.contains("echo"), "{built_in}");
}

#[test]
fn the_schema_asks_no_plugin_that_may_not_run_and_survives_a_broken_config() {
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": "env" }));
    let trap = WatPlugin::new("trap").on_describe("(loop $for_ever (br $for_ever))");
    sandbox.write(".portkeeper/plugins/trap.wasm", trap.component());
    let outcome = sandbox.portkeeper("schema").ok();
    outcome.says("not trusted yet").says("its options are left out");
    assert!(outcome.json()["$defs"]["trap-output"].is_null());
    sandbox.write("pk.config.json", "{");
    let outcome = sandbox.portkeeper("schema").ok();
    outcome.says("pk.config.json");
    assert!(jsonschema::meta::is_valid(&outcome.json()));
}

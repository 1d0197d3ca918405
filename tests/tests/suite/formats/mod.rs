//! The formats of the second wave, through the real host: files of real projects' kinds before and after a prepare.
//!
//! How each format treats its files in detail is tested with the format, in `plugins/`.

mod agreement;
mod cases;
mod growth;
mod ini_readers;
mod languages;
mod rows;
mod scale;

use portkeeper_tests::{Ports, Sandbox};
use serde_json::{Value, json};

use self::cases::{CASES, Case};
use crate::config::one_port;
use crate::sandbox;

/// A project with the case's files and a config with its output.
fn project(ports: &Ports, case: &Case) -> Sandbox {
    let sandbox = sandbox();
    for (path, text) in case.files {
        sandbox.write(path, text);
    }
    let output: Value = serde_json::from_str(case.output).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    sandbox.write("pk.config.json", one_port(ports, json!([output])).to_string());
    sandbox
}

#[test]
fn files_of_real_projects_get_their_port_and_keep_all_else() {
    for case in CASES {
        let ports = Ports::take(1);
        let sandbox = project(&ports, case);
        let answer = sandbox.portkeeper("prepare").ok().json();
        assert_eq!(answer["outputs"][0]["path"], case.path, "{}", case.name);
        let expected = case.expected.replace("PORT!", &ports.first().to_string());
        assert_eq!(sandbox.read(case.path), expected, "{}", case.name);
        // A fixed point, for the host as well.
        let again = sandbox.portkeeper("prepare").ok().json();
        assert_eq!(again["outputs"][0]["status"], "unchanged", "{}", case.name);
        assert_eq!(sandbox.portkeeper("prepare --check").ok().code(), Some(0));
    }
}

#[test]
fn what_a_format_refuses_is_refused_before_anything_is_written() {
    for (output, files, words) in [
        (
            r#"{"type": "yaml", "path": "a.yaml", "map": {"a": "1"}}"#,
            &[("a.yaml", "a: 1\n---\nb: 2\n")][..],
            &["a.yaml:3", "2 documents"][..],
        ),
        (
            r#"{"type": "yaml", "path": "a.yaml", "map": {"a[n=x].p": "${SERVICE_PORT}"}}"#,
            &[("a.yaml", "a:\n- n: x\n- n: y\n- n: x\n")],
            &["a.yaml:4", "2 have n=x (lines 2, 4)"],
        ),
        (
            r#"{"type": "yaml", "path": "a.yaml", "map": {"a.0.p": "${SERVICE_PORT}"}}"#,
            &[("a.yaml", "b: 1\n")],
            &["a.yaml:1", "no such list"],
        ),
        (
            r#"{"type": "yaml", "path": "a.yaml", "map": {"a.b": "1"}}"#,
            &[("a.yaml", "x: 1\na: [1]\n")],
            &["a.yaml:2", "a list"],
        ),
        (
            r#"{"type": "toml", "path": "a.toml", "map": {"a.b": "1"}}"#,
            &[("a.toml", "\n[[a]]\n")],
            &["a.toml:2", "an array of tables", "a table"],
        ),
        (
            r#"{"type": "ini", "path": "a.service", "map": {"Service.Environment": "A=1"}}"#,
            &[("a.service", "[Service]\nEnvironment=A=2\nEnvironment=B=3\n")],
            &["a.service:3", "2 times", "as a list"],
        ),
        (
            r#"{"type": "json", "path": "a.json", "map": {"p": "1"}}"#,
            &[("a.json", "{\"p\": 1,\n\"e\": \"\\ud800\"}\n")],
            &["a.json:2", "half of a character"],
        ),
        (
            r#"{"type": "toml", "path": "a.toml", "map": {"servers[name=a].port": "1"}}"#,
            &[("a.toml", "[[servers]]\nname = \"a\"\n[[servers]]\nname = \"a\"\n")],
            &["a.toml:3", "2 have name=a", "use an index"],
        ),
        (
            r#"{"type": "json", "path": "a.json", "map": {"c[name=Launch].name": "x${SERVICE_PORT}"}}"#,
            &[("a.json", r#"{"c": [{"name": "Launch"}]}"#)],
            &[
                "outputs[0].map",
                "`c[name=Launch].name` selects an item by a value that the map changes",
                "by its index",
            ],
        ),
        (
            r#"{"type": "yaml", "path": "a.yaml", "map": {"c[port=1].port": "${SERVICE_PORT}"}}"#,
            &[("a.yaml", "c:\n- port: 1\n")],
            &["outputs[0].map", "`c[port=1].port` selects an item by a value that the map changes"],
        ),
        (
            r#"{"type": "toml", "path": "a.toml", "map": {"c[0].name": "${SERVICE_PORT}", "c[name=a].port": "1"}}"#,
            &[("a.toml", "[[c]]\nname = \"a\"\nport = 2\n")],
            &["outputs[0].map", "`c[name=a].port` selects an item by a value that the map changes"],
        ),
        (r#"{"type": "properties", "map": {"a": "1"}}"#, &[], &["outputs[0].path", "no usual file"]),
        (r#"{"type": "shell", "path": "a.sh", "map": {"A-B": "1"}}"#, &[], &["outputs[0].map", "`A-B`"]),
        (r#"{"type": "shell", "path": "a.sh", "dialect": "csh"}"#, &[], &["dialect"]),
        (
            r#"{"type": "template", "path": "a.conf", "inputs": ["a.j2"]}"#,
            &[("a.j2", "# portkeeper:generated\n{{ NOPE }}\n")],
            &["`a.j2` line 2", "does not exist"],
        ),
        (
            r#"{"type": "template", "path": "a.conf", "inputs": ["a.j2"]}"#,
            &[("a.j2", "# portkeeper:generated\n"), ("a.conf", "mine\n")],
            &["a.conf", "would be lost"],
        ),
        (
            r#"{"type": "template", "path": "a.conf", "inputs": ["a.j2"]}"#,
            &[("a.j2", "{{ SERVICE_PORT }}\n")],
            &["portkeeper:generated"],
        ),
    ] {
        let ports = Ports::take(1);
        let sandbox = project(&ports, &Case { name: output, output, files, path: "", expected: "" });
        let before = sandbox.all_but_registry();
        let outcome = sandbox.portkeeper("prepare").refused(2);
        for word in words {
            outcome.says(word);
        }
        assert!(sandbox.reserved().is_empty(), "{outcome}");
        before.assert_unchanged(&outcome);
    }
}

#[test]
fn all_formats_serve_one_config() {
    let ports = Ports::take(1);
    let sandbox = sandbox();
    sandbox.write("compose.yaml", "services:\n  web:\n    image: nginx\n");
    sandbox.write("app.conf.j2", "# portkeeper:generated\nlisten {{ SERVICE_PORT }};\n");
    let outputs = json!([
        { "type": "env" }, { "type": "json" }, { "type": "runtime_js" }, { "type": "yaml" }, { "type": "toml" }, { "type": "shell" },
        { "type": "docker-compose", "services": { "web": { "SERVICE_PORT": 80 } } },
        { "type": "template", "path": "app.conf", "inputs": ["app.conf.j2"] },
        { "type": "properties", "path": "application.properties" }, { "type": "ini", "path": "app.ini" },
        { "type": "sh", "path": "ports.fish" }, { "type": "yml", "path": "more.yml", "map": { "p": "${SERVICE_PORT}" }, "numbers": true },
    ]);
    let count = outputs.as_array().unwrap().len();
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let answer = sandbox.portkeeper("prepare").ok().json();
    let written = answer["outputs"].as_array().unwrap().iter().filter(|output| output["status"] == "written");
    assert_eq!(written.count(), count, "{answer}");
    let port = ports.first();
    assert_eq!(sandbox.read("config.yaml"), format!("SERVICE_PORT: {port}\n"));
    assert_eq!(sandbox.read("config.toml"), format!("SERVICE_PORT = {port}\n"));
    for file in ["application.properties", "app.ini"] {
        assert_eq!(sandbox.read(file), format!("SERVICE_PORT={port}\n"), "{file}");
    }
    assert_eq!(sandbox.read("app.conf"), format!("# portkeeper:generated\nlisten {port};\n"));
    assert_eq!(sandbox.read("more.yml"), format!("p: {port}\n"));
    assert_eq!(sandbox.shell(". ./.envrc; sh -c 'echo $SERVICE_PORT'").ok().port(), port);
    assert!(sandbox.read("ports.fish").contains(&format!("set -gx SERVICE_PORT {port}\n")));
}

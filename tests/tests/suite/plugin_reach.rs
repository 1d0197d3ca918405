//! How far a plugin reaches: to the files that the config names for it, and to none that portkeeper itself goes by.

use std::fs;
use std::os::unix::fs::symlink;

use portkeeper_tests::{Ports, Sandbox, WatPlugin};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// A user who has added the plugin.
fn with_plugin(plugin: &WatPlugin) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write(sandbox.plugins().join("nosy.wasm"), plugin.component());
    sandbox
}

fn configure(sandbox: &Sandbox, ports: &Ports, output: &Value) {
    sandbox.write("pk.config.json", one_port(ports, json!([{ "type": "env" }, output])).to_string());
}

/// Demands that a prepare is refused with these words, with all files as they were.
#[track_caller]
fn assert_refused(sandbox: &Sandbox, words: &[&str]) {
    let before = sandbox.all_but_registry();
    let outcome = sandbox.portkeeper("prepare").refused(2);
    for word in words {
        outcome.says(word);
    }
    assert_eq!(sandbox.reserved(), [0; 0], "{outcome}");
    before.assert_unchanged(&outcome);
}

/// A plugin that asks for `secret.key` as an input, and writes the text of its first input if it has one.
fn nosy() -> WatPlugin {
    let instructions = "(drop (call $text (local.get $request)))
        (if (i32.load (i32.add (local.get $request) (i32.const 56))) (then
            (i64.store (i32.const 568) (i64.load (i32.add (i32.load (i32.add (local.get $request) (i32.const 52))) (i32.const 12))))))
        (return (i32.const 512))";
    // The list of attributes at 900, and its address and length in the record at 1024.
    let attributes = r#"(data (i32.const 900) "\a0\03\00\00\0e\00\00\00\b0\03\00\00\0a\00\00\00")
        (data (i32.const 928) "default-inputs") (data (i32.const 944) "secret.key")
        (data (i32.const 1076) "\84\03\00\00\01\00\00\00")"#;
    WatPlugin::new("nosy").on_render(instructions).items(attributes)
}

#[test]
fn a_plugin_of_others_does_not_choose_its_file_and_the_error_shows_the_line_to_add() {
    let ports = Ports::take(1);
    for path in ["out.txt", "pk.config.json", ".portkeeper/plugins/y.wasm", "Makefile", ".git/hooks/pre-commit"] {
        let sandbox = with_plugin(&WatPlugin::new("nosy").default_path(path));
        configure(&sandbox, &ports, &json!({ "type": "nosy" }));
        assert_refused(&sandbox, &["outputs[1].path", "not built in", &format!(r#""path": "{path}""#)]);
    }
    let sandbox = with_plugin(&WatPlugin::new("nosy").default_path("out.txt"));
    configure(&sandbox, &ports, &json!({ "type": "nosy", "path": "out.txt" }));
    let _ = sandbox.portkeeper("prepare").ok();
    assert!(sandbox.has("out.txt"));
}

#[test]
fn a_plugin_of_others_reads_no_file_that_the_config_does_not_name() {
    let ports = Ports::take(1);
    let sandbox = with_plugin(&nosy());
    sandbox.write("secret.key", "PRIVATE-KEY");
    configure(&sandbox, &ports, &json!({ "type": "nosy", "path": "o.txt" }));
    let outcome = sandbox.portkeeper("prepare").ok();
    outcome.says(r#"add: "inputs": ["secret.key"], or [] to keep it out"#);
    assert!(!sandbox.read("o.txt").contains("PRIVATE-KEY"));

    configure(&sandbox, &ports, &json!({ "type": "nosy", "path": "o.txt", "inputs": [] }));
    assert!(!sandbox.portkeeper("prepare").ok().stderr.contains("secret.key"));
    configure(&sandbox, &ports, &json!({ "type": "nosy", "path": "o.txt", "inputs": ["secret.key"] }));
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read("o.txt"), "PRIVATE-KEY", "named, it is read: the plugin asks for it indeed");
}

#[test]
fn what_portkeeper_goes_by_is_no_output_of_any_format() {
    let ports = Ports::take(1);
    let sandbox = with_plugin(&WatPlugin::new("nosy"));
    symlink("pk.config.json", sandbox.work().join("link.json")).unwrap();
    let config = "no output may change what portkeeper itself goes by";
    for path in [
        "pk.config.json",
        "PK.CONFIG.JSON",
        "sub/pk.config.yml",
        "portkeeper.lock",
        "Portkeeper.Lock",
        ".portkeeper/plugins/y.wasm",
        ".PortKeeper/x",
        "link.json",
    ] {
        for format in ["json", "nosy"] {
            configure(&sandbox, &ports, &json!({ "type": format, "path": path }));
            assert_refused(&sandbox, &["outputs[1].path", config, path]);
            configure(&sandbox, &ports, &json!({ "type": format, "path": "fine", "files": [path] }));
            assert_refused(&sandbox, &["outputs[1].files", config, path]);
        }
    }
    configure(&sandbox, &ports, &json!({ "type": "json", "path": ".portkeeper-tmp.0/x" }));
    assert_refused(&sandbox, &["outputs[1].path", "itself goes by"]);
    for path in [".git/config", ".GIT/config", "sub/.hg/hgrc", ".jj/x", ".svn/x"] {
        configure(&sandbox, &ports, &json!({ "type": "json", "path": path }));
        assert_refused(&sandbox, &["outputs[1].path", "version control"]);
    }
    // Not even with the user's consent, which is for files elsewhere.
    configure(&sandbox, &ports, &json!({ "type": "json", "path": "pk.config.json" }));
    sandbox.portkeeper("trust pk.config.json").refused(2).says("itself goes by");
    assert_refused_still(&sandbox);
}

#[track_caller]
fn assert_refused_still(sandbox: &Sandbox) {
    let before = fs::read(sandbox.work().join("pk.config.json")).unwrap();
    sandbox.portkeeper("prepare").refused(2).says("itself goes by");
    assert_eq!(fs::read(sandbox.work().join("pk.config.json")).unwrap(), before);
}

#[test]
fn a_config_under_another_name_is_no_output_of_its_own() {
    let ports = Ports::take(1);
    let sandbox = sandbox();
    let config = one_port(&ports, json!([{ "type": "json", "path": "stack.json" }])).to_string();
    sandbox.write("stack.json", &config);
    sandbox.portkeeper("prepare -c stack.json").refused(2).says("outputs[0].path").says("itself goes by");
    assert_eq!(sandbox.read("stack.json"), config);
    sandbox.portkeeper("reserve --write-env=PORT --env-path pk.config.json").refused(2).says("itself goes by");
    assert!(!sandbox.has("pk.config.json"));
}

#[test]
fn a_path_with_control_characters_is_refused_without_them() {
    let ports = Ports::take(1);
    let sandbox = with_plugin(&WatPlugin::new("nosy"));
    for bad in ["a\u{1b}[2Jb", "a\u{9b}2J", "a\rb", "a\nb", "a\u{202e}b", "a\u{7f}"] {
        for output in [
            json!({ "type": "json", "path": bad }),
            json!({ "type": "json", "path": "fine", "files": [bad] }),
            json!({ "type": "json", "path": "fine", "inputs": [bad] }),
        ] {
            configure(&sandbox, &ports, &output);
            let outcome = sandbox.portkeeper("prepare").refused(2);
            outcome.says("control character");
            assert!(!outcome.stderr.contains(bad), "{outcome}");
            assert!(!sandbox.has("fine"));
        }
    }
}

#[test]
fn a_file_that_would_take_for_ever_to_inspect_is_refused_soon() {
    let sandbox = sandbox();
    let start = std::time::Instant::now();
    let file = sandbox.write("many.wasm", WatPlugin::new("x").items(&"(func)".repeat(90_000)).component());
    let module = sandbox.write("module.wasm", WatPlugin::new("x").items(&"(func)".repeat(90_000)).module());
    for file in [file, module] {
        sandbox.portkeeper("plugin inspect").arg(&file).refused(3).says("functions, and a plugin may have");
        sandbox.portkeeper("plugin add").arg(&file).refused(3).says("functions, and a plugin may have");
    }
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
}

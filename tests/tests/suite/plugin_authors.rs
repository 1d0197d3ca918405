//! What an author does: a new crate, built, put to its fixtures, and added.

use portkeeper_tests::builtin::root;
use portkeeper_tests::{Ports, Sandbox, WatPlugin};
use serde_json::{Value, json};

use crate::answers;
use crate::author::{author, can_build_or_skip};
use crate::config::one_port;
use crate::sandbox;

/// A new crate in the sandbox, under a name that no other test builds; none where this machine lacks what building it needs.
#[track_caller]
fn new_crate(sandbox: &Sandbox, name: &str) -> Option<()> {
    let sdk = root().join("plugin-sdk");
    let new = sandbox.portkeeper(format!("plugin new {name} --sdk {}", sdk.display())).ok();
    answers::check(sandbox, "plugin-new", &new.json());
    // The versions that are in use here: nothing else is downloaded.
    std::fs::copy(root().join("Cargo.lock"), sandbox.work().join(name).join("Cargo.lock")).unwrap();
    can_build_or_skip().then_some(())
}

fn build(sandbox: &Sandbox, name: &str) {
    let answer = author(sandbox.portkeeper("plugin build")).arg(name).ok().json();
    answers::check(sandbox, "plugin-build", &answer);
    assert_eq!((&answer["interface"], &answer["types"]), (&json!("0.1.0"), &json!([name])));
    assert!(answer["size_bytes"].as_u64().unwrap() < 200_000, "{answer}");
}

#[test]
fn from_nothing_to_a_format_in_use() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    if new_crate(&sandbox, "shout").is_none() {
        return;
    }
    let directory = sandbox.work().join("shout");
    let _ = author(sandbox.program("cargo").words("test --quiet")).within(&directory).ok();
    build(&sandbox, "shout");
    let trials = sandbox.portkeeper("plugin test shout.wasm").within(&directory).ok().json();
    answers::check(&sandbox, "plugin-test", &trials);
    assert_eq!(trials.as_array().unwrap().len(), 3, "{trials}");
    for trial in trials.as_array().unwrap() {
        assert!(trial["result"] == "passed" && trial["fuel"].as_u64().unwrap() > 1_000, "{trial}");
        assert!(
            trial["memory_bytes"].as_u64().unwrap() >= 65_536 && trial["elapsed_ms"].as_f64().unwrap() > 0.0,
            "{trial}"
        );
    }
    let again = sandbox.portkeeper("plugin test shout.wasm").within(&directory).ok().json();
    assert_eq!(again[0]["fuel"], trials[0]["fuel"], "the same on every run");

    let _ = sandbox.portkeeper("plugin add shout/shout.wasm").ok();
    let outputs = json!([{ "type": "shout", "path": "ports.shout", "separator": ": " }]);
    sandbox.write("pk.config.json", one_port(&ports, outputs).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read("ports.shout"), format!("SERVICE_PORT: {}\n", ports.first()));
}

#[test]
fn a_build_that_fails_says_why_and_writes_nothing() {
    let sandbox = sandbox();
    sandbox.portkeeper("plugin build").refused(2).says("no Cargo.toml").says("plugin new");
    if new_crate(&sandbox, "whisper").is_none() {
        return;
    }
    build(&sandbox, "whisper");
    let source = sandbox.read("whisper/src/lib.rs");
    std::fs::remove_file(sandbox.work().join("whisper/whisper.wasm")).unwrap();
    sandbox.write("whisper/src/lib.rs", source.replace("struct Whisper;", "struct Whisper"));
    let outcome = author(sandbox.portkeeper("plugin build whisper")).run();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    outcome.says("expected `where`").says("error: cargo could not build the plugin");
    // It builds, and is no plugin: nothing is exported.
    sandbox
        .write("whisper/src/lib.rs", source.replace("export_plugin!(Whisper);", "").replace("export_plugin};", "};"));
    let outcome = author(sandbox.portkeeper("plugin build whisper")).run();
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    outcome.says("what whisper builds to cannot be used as a plugin");
    let manifest = sandbox.read("whisper/Cargo.toml");
    sandbox.write("whisper/Cargo.toml", manifest.replace("\"cdylib\", ", ""));
    sandbox.write("whisper/src/lib.rs", source);
    author(sandbox.portkeeper("plugin build whisper")).exits(2).says("crate-type");
    assert!(!sandbox.has("whisper/whisper.wasm"));
}

#[test]
fn a_compiler_without_the_target_is_told_how_to_get_it() {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("plugin new shout").ok();
    // A compiler that knows no libraries, and a cargo that fails as it would then.
    let tool = |name: &str, script: &str| {
        let path = sandbox.write(name, format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        path
    };
    let (rustc, cargo) =
        (tool("rustc", "echo /nowhere"), tool("cargo", "echo 'can not find crate for core' >&2; exit 101"));
    let build = sandbox.portkeeper("plugin build shout").env("RUSTC", rustc).env("CARGO", cargo);
    build.exits(3).says("rustup target add wasm32-unknown-unknown").says("apt-get install");
    let missing = sandbox.portkeeper("plugin build shout").env("RUSTC", "/nowhere/rustc");
    missing.refused(3).says("cannot be started: /nowhere/rustc").says("rustup.rs");
}

#[test]
fn a_name_that_cannot_be_and_a_directory_that_is_there_are_refused() {
    let sandbox = sandbox();
    sandbox.directory("taken");
    for (words, message) in [
        ("plugin new env", "built in"),
        ("plugin new a/b", "cannot be the name of a type"),
        ("plugin new taken", "is there already"),
        ("plugin new x --sdk .", "is not the SDK"),
    ] {
        sandbox.portkeeper(words).refused(2).says(message);
    }
    let _ = sandbox.portkeeper("plugin new x deep/er/x").ok();
    assert!(sandbox.read("deep/er/x/Cargo.toml").contains("portkeeper-plugin-sdk = \"0."));
}

/// A fixture for a plugin that writes the map.
fn fixture(sandbox: &Sandbox, name: &str, expected: Option<&str>) {
    sandbox.write(format!("fixtures/{name}/request.json"), r#"{"map": {"a": 1}, "path": "out.txt"}"#);
    if let Some(expected) = expected {
        sandbox.write(format!("fixtures/{name}/expected/out.txt"), expected);
    }
}

fn put(sandbox: &Sandbox, plugin: &WatPlugin) {
    sandbox.write("x.wasm", plugin.component());
}

#[test]
fn a_fixture_that_is_not_as_expected_fails_and_update_writes_it_down() {
    let sandbox = sandbox();
    put(&sandbox, &WatPlugin::new("x"));
    fixture(&sandbox, "good", Some("{\"a\":1}"));
    fixture(&sandbox, "other", Some("{\"a\":2}\n"));
    fixture(&sandbox, "unsaid", None);
    let outcome = sandbox.portkeeper("plugin test x.wasm").exits(1);
    outcome.says("2 of 3 fixtures failed").says("-{\"a\":2}").says("+{\"a\":1}").says("nothing is expected yet");
    let results: Vec<_> = outcome.json().as_array().unwrap().iter().map(|row| row["result"].clone()).collect();
    assert_eq!(results, ["passed", "failed", "failed"]);
    let updated = sandbox.portkeeper("plugin test x.wasm --update").ok().json();
    assert_eq!((&updated[1]["result"], &updated[2]["result"]), (&json!("updated"), &json!("updated")));
    assert_eq!(sandbox.read("fixtures/unsaid/expected/out.txt"), "{\"a\":1}");
    let _ = sandbox.portkeeper("plugin test x.wasm fixtures").ok();
    let _ = sandbox.portkeeper("plugin test x.wasm fixtures/good").ok();
}

#[test]
fn a_failure_is_expected_or_not() {
    let sandbox = sandbox();
    put(
        &sandbox,
        &WatPlugin::new("x")
            .on_render(
                "(i32.store8 (i32.const 512) (i32.const 1))
                 (i32.store (i32.const 516) (i32.const 4096)) (i32.store (i32.const 520) (i32.const 7))
                 (i32.store (i32.const 524) (i32.const 4103)) (i32.store (i32.const 528) (i32.const 6)) (return (i32.const 512))",
            )
            .items(r#"(data (i32.const 4096) "bad-mapno map")"#),
    );
    fixture(&sandbox, "a", Some("{}"));
    sandbox.portkeeper("plugin test x.wasm").exits(1).says("it failed: {\"code\":\"bad-map\",\"message\":\"no map\"}");
    let _ = sandbox.portkeeper("plugin test x.wasm --update").ok();
    assert!(!sandbox.has("fixtures/a/expected"));
    let failure: Value = serde_json::from_str(&sandbox.read("fixtures/a/failure.json")).unwrap();
    assert_eq!(failure, json!({ "code": "bad-map", "message": "no map" }));
    sandbox.write("fixtures/a/failure.json", r#"{"code": "bad-map"}"#);
    let _ = sandbox.portkeeper("plugin test x.wasm").ok();
    sandbox.write("fixtures/a/failure.json", r#"{"code": "bad-target"}"#);
    sandbox.portkeeper("plugin test x.wasm").exits(1).says("failed in another way");
    put(&sandbox, &WatPlugin::new("x"));
    sandbox.portkeeper("plugin test x.wasm").exits(1).says("it did not fail");
}

#[test]
fn a_render_that_is_no_fixed_point_is_named_and_never_expected() {
    let sandbox = sandbox();
    // Writes the map, but for as many bytes as the file had before.
    let shrinking = "(drop (call $text (local.get $request)))
        (if (i32.load8_u (i32.add (local.get $request) (i32.const 40))) (then
          (i32.store (i32.const 572) (i32.sub (i32.load (i32.const 572)) (i32.const 1)))))
        (return (i32.const 512))";
    put(&sandbox, &WatPlugin::new("x").on_render(shrinking));
    fixture(&sandbox, "a", Some("{\"a\":1}"));
    for options in ["", "--update"] {
        let outcome = sandbox.portkeeper("plugin test x.wasm").words(options).exits(1);
        outcome.says("rendered again from its own text, out.txt changes");
    }
    assert_eq!(sandbox.read("fixtures/a/expected/out.txt"), "{\"a\":1}");
}

#[test]
fn a_plugin_that_breaks_the_rules_is_broken_in_its_tests_too() {
    let sandbox = sandbox();
    fixture(&sandbox, "a", Some(""));
    for hostile in portkeeper_tests::hostile::harmful("x").iter().filter(|hostile| hostile.message != "did not finish")
    {
        sandbox.write("x.wasm", &hostile.bytes);
        let outcome = sandbox.portkeeper("plugin test x.wasm").exits(1);
        let words = if is_limit(hostile) { "cannot render `out.txt`" } else { "it is broken" };
        outcome.says(words).says(hostile.message);
    }
}

/// Whether it takes too much; the others do what no plugin may.
fn is_limit(hostile: &portkeeper_tests::hostile::Hostile) -> bool {
    ["memory", "16 MiB"].contains(&hostile.message)
}

#[test]
fn a_fixture_that_means_nothing_is_refused_with_the_reason() {
    let sandbox = sandbox();
    put(&sandbox, &WatPlugin::new("x").options_schema(r#"{"properties": {"a": {"type": "string"}}}"#));
    sandbox.portkeeper("plugin test x.wasm").exits(3).says("fixtures");
    sandbox.directory("fixtures");
    sandbox.portkeeper("plugin test x.wasm").refused(2).says("there are no fixtures in");
    for (file, text, words) in [
        ("request.json", "{", "request.json"),
        ("request.json", r#"{"reservation": []}"#, "unknown field `reservation`"),
        ("request.json", r#"{"reservations": [{"name": "A", "port": 70000}]}"#, "reservations[0].port"),
        ("request.json", "{}", "`path` has to say"),
        ("expectd/out.txt", "", "expectd"),
        ("failure.json", r#"{"code": "x"}"#, "remove either"),
    ] {
        let _ = std::fs::remove_dir_all(sandbox.work().join("fixtures"));
        fixture(&sandbox, "a", Some(""));
        sandbox.write(format!("fixtures/a/{file}"), text);
        sandbox.portkeeper("plugin test x.wasm").refused(2).says(words);
    }
    let _ = std::fs::remove_dir_all(sandbox.work().join("fixtures"));
    fixture(&sandbox, "a", Some(""));
    sandbox.write("fixtures/a/request.json", r#"{"path": "out.txt", "options": {"a": 1}}"#);
    sandbox.portkeeper("plugin test x.wasm").exits(1).says("the options do not pass its schema: a: expected text");
}

//! Plugins that a user lists, looks at, adds and removes.

use std::path::{Path, PathBuf};

use portkeeper_tests::builtin::sha256;
use portkeeper_tests::{Ports, Sandbox, WatPlugin};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// A plugin with two types and one option.
pub(crate) fn shout() -> WatPlugin {
    let schema = r#"{"type": "object", "properties": {"loud": {"type": "boolean", "default": true, "description": "How"}},
        "additionalProperties": false}"#;
    WatPlugin::new("shout").also("cry").default_path("out.txt").options_schema(schema)
}

fn listed(sandbox: &Sandbox, name: &str) -> Option<Value> {
    let all = sandbox.portkeeper("plugin list").ok().json();
    all.as_array().unwrap().iter().find(|row| row["type"] == name).cloned()
}

fn add<'a>(sandbox: &'a Sandbox, plugin: &WatPlugin, options: &str) -> portkeeper_tests::Run<'a> {
    let file = sandbox.write("../tmp/download.wasm", plugin.component());
    sandbox.portkeeper("plugin add").arg(file).words(options)
}

fn users(sandbox: &Sandbox, name: &str) -> PathBuf {
    sandbox.plugins().join(format!("{name}.wasm"))
}

#[test]
fn what_is_built_in_is_listed() {
    let sandbox = sandbox();
    let env = listed(&sandbox, "env").unwrap();
    assert_eq!(env["aliases"], json!(["dotenv", "compose_env"]));
    assert_eq!(
        (&env["origin"], &env["trust"], &env["problem"]),
        (&json!("built-in"), &json!("built-in"), &Value::Null)
    );
    let table = sandbox.portkeeper("plugin list --format table").ok().stdout;
    assert!(table.starts_with("TYPE") && table.contains("docker-compose"), "{table}");
}

#[test]
fn an_added_plugin_serves_all_of_its_types_and_a_removed_one_none() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let answer = add(&sandbox, &shout(), "").ok().json();
    assert_eq!(answer["sha256"], sha256(&shout().component()));
    assert_eq!((&answer["files"][0]["type"], &answer["files"][1]["type"]), (&json!("shout"), &json!("cry")));
    for name in ["shout", "cry"] {
        assert_eq!(std::fs::read(users(&sandbox, name)).unwrap(), shout().component());
        let row = listed(&sandbox, name).unwrap();
        assert_eq!((&row["origin"], &row["trust"], &row["version"]), (&json!("user"), &json!("own"), &json!("1.0.0")));
        sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": name, "path": name }])).to_string());
        let _ = sandbox.portkeeper("prepare").ok();
        assert!(sandbox.has(name));
    }
    let again = add(&sandbox, &shout(), "").ok().json();
    assert_eq!(again["files"][0]["status"], "unchanged");

    let removed = sandbox.portkeeper("plugin remove cry").ok().json();
    assert_eq!(removed["removed"].as_array().unwrap().len(), 2, "{removed}");
    assert!(!users(&sandbox, "shout").exists() && listed(&sandbox, "shout").is_none());
    sandbox.portkeeper("plugin remove cry").refused(1).says("no plugin for `cry`");
    sandbox.portkeeper("plugin remove env").refused(1).says("what is built in stays");
}

#[test]
fn another_version_takes_the_place_and_another_plugin_does_not() {
    let sandbox = sandbox();
    let _ = add(&sandbox, &shout(), "").ok();
    let newer = add(&sandbox, &shout().release("1.1.0"), "").ok().json();
    assert_eq!(newer["files"][0]["status"], "was 1.0.0");
    let before = sandbox.everything();
    let stranger = WatPlugin::new("shout").named("stranger");
    add(&sandbox, &stranger, "").refused(2).says("another plugin for `shout`").says("--replace");
    before.assert_unchanged("a refusal");
    assert_eq!(add(&sandbox, &stranger, "--replace").ok().json()["files"][0]["status"], "replaced");
    assert_eq!(listed(&sandbox, "cry").unwrap()["version"], "1.1.0", "what the new one does not render stays");
}

#[test]
fn a_type_that_is_built_in_is_not_taken_over() {
    let sandbox = sandbox();
    let answer = add(&sandbox, &WatPlugin::new("env").also("envy"), "").ok();
    answer.says("`env` stays the built-in one");
    assert_eq!(answer.json()["files"].as_array().unwrap().len(), 1);
    assert!(!users(&sandbox, "env").exists() && users(&sandbox, "envy").exists());
    add(&sandbox, &WatPlugin::new("env"), "").refused(2).says("only what is built in");
}

#[test]
fn what_is_no_plugin_is_not_added() {
    let sandbox = sandbox();
    for (bytes, words) in [
        (b"#!/bin/sh\n".to_vec(), "not WebAssembly"),
        (WatPlugin::new("x").interface("0.2.0").component(), "update portkeeper"),
        (WatPlugin::new("x").interface("0.0.9").component(), "newer release of the plugin"),
        (wat_with_wasi(), "wasm32-unknown-unknown"),
    ] {
        let file = sandbox.write("x.wasm", bytes);
        sandbox.portkeeper("plugin add").arg(file).refused(3).says(words);
        sandbox.portkeeper("plugin inspect x.wasm").refused(3).says(words);
    }
    sandbox.portkeeper("plugin add missing.wasm").refused(2).says("there is no such file");
    assert!(!sandbox.plugins().exists());
}

fn wat_with_wasi() -> Vec<u8> {
    let all = portkeeper_tests::hostile::refused("x");
    all.into_iter().find(|hostile| hostile.name == "a component for WASI").unwrap().bytes
}

#[test]
fn a_type_that_the_config_takes_over_is_listed_once() {
    let sandbox = sandbox();
    let file = sandbox.write("tools/mine.wasm", WatPlugin::new("dotenv").component());
    let config = json!({ "ports": [{ "key": "A" }], "plugins": { "dotenv": { "path": "tools/mine.wasm" } } });
    sandbox.write("pk.config.json", config.to_string());
    assert_eq!(listed(&sandbox, "env").unwrap()["aliases"], json!(["compose_env"]));
    let row = listed(&sandbox, "dotenv").unwrap();
    assert_eq!((&row["origin"], &row["trust"]), (&json!("config"), &json!("no")));
    let _ = sandbox.portkeeper("trust").arg(file).ok();
    assert_eq!(listed(&sandbox, "dotenv").unwrap()["trust"], "trusted");
}

#[test]
fn inspecting_says_everything_and_needs_no_trust() {
    let sandbox = sandbox();
    let directory = sandbox.directory(".portkeeper/plugins");
    sandbox.write("pk.config.json", r#"{"ports": [{"key": "A"}]}"#);
    sandbox.write(directory.join("shout.wasm"), shout().module());
    assert_eq!(listed(&sandbox, "shout").unwrap()["trust"], "no");
    let before = sandbox.everything();
    for plugin in ["shout", ".portkeeper/plugins/shout.wasm"] {
        let answer = sandbox.portkeeper("plugin inspect").arg(plugin).ok().json();
        assert_eq!(answer["types"], json!(["shout", "cry"]));
        assert_eq!((&answer["interface"], &answer["kind"]), (&json!("0.1.0"), &json!("core module")));
        assert_eq!(answer["exports"], json!(["portkeeper:output/plugin@0.1.0"]));
        let imports = answer["imports"].as_array().unwrap();
        assert!(imports.iter().all(|name| name.as_str().unwrap().starts_with("portkeeper:output/")), "{answer}");
        assert_eq!(answer["size_bytes"], shout().module().len());
        assert_eq!(answer["sha256"], sha256(&shout().module()));
        assert_eq!(answer["options_schema"]["properties"]["loud"]["default"], true);
        assert!(answer["compile_ms"].as_f64().unwrap() > 0.0 && answer["component_size_bytes"].as_u64().unwrap() > 0);
        let text = sandbox.portkeeper("plugin inspect --format table").arg(plugin).ok().stdout;
        assert!(text.contains("portkeeper:output 0.1.0") && text.contains("loud"), "{text}");
    }
    before.assert_unchanged("looking");
    sandbox.portkeeper("plugin inspect shuot").refused(2).says("did you mean `shout`?");
}

#[test]
fn words_of_a_plugin_do_not_drive_the_terminal() {
    let sandbox = sandbox();
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}";
    let schema = json!({ "properties": { format!("a{evil}"): { "description": evil, "default": evil } } });
    let plugin = shout().named(&format!("n{evil}")).release(evil).description(evil).options_schema(&schema.to_string());
    let drives = |c: char| c.is_control() && c != '\n';
    for command in ["plugin add download.wasm", "plugin list", "plugin inspect shout", "plugin inspect download.wasm"] {
        sandbox.write("download.wasm", plugin.component());
        for format in ["table", "json"] {
            let outcome = sandbox.portkeeper(command).words(&format!("--format {format}")).ok();
            assert!(!outcome.stdout.contains(drives) && !outcome.stderr.contains(drives), "{outcome:?}");
            assert!(format == "json" || !outcome.stdout.contains('\u{202e}'), "{outcome:?}");
        }
    }
}

#[test]
fn the_cache_is_shown_and_cleared() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let cache = sandbox.root().join("cache");
    let run = |words: &str| sandbox.portkeeper(words).env("XDG_CACHE_HOME", &cache).ok();
    assert_eq!(run("plugin cache").json()["entries"], json!([]));
    let file = sandbox.write("download.wasm", shout().component());
    run(&format!("plugin add {}", file.display()));
    let entries = run("plugin cache").json()["entries"].clone();
    assert_eq!(entries.as_array().unwrap().len(), 1, "adding warms it");
    assert_eq!(entries[0]["sha256"], sha256(&shout().component()));
    std::fs::write(cache.join("portkeeper/notes.txt"), "mine").unwrap();
    assert_eq!(run("plugin cache --clear").json()["cleared"], true);
    assert_eq!(names(&cache.join("portkeeper")), ["notes.txt"]);
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "shout", "path": "x" }])).to_string());
    run("prepare");
    assert_eq!(run("plugin cache").json()["entries"], entries);
}

fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn further_files_are_written_where_the_config_says_so_and_nowhere_else() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = add(&sandbox, &writes_also("more.txt"), "").ok();
    let with = |files: Value| {
        let output = json!({ "type": "shout", "path": "out.txt", "files": files });
        sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }, output])).to_string());
    };
    with(json!([]));
    let before = sandbox.all_but_registry();
    sandbox.portkeeper("prepare").refused(3).says("`more.txt` beside its output `out.txt`");
    before.assert_unchanged("a refusal");

    with(json!(["more.txt"]));
    let answer = sandbox.portkeeper("prepare").ok().json();
    let paths: Vec<_> = answer["outputs"].as_array().unwrap().iter().map(|output| output["path"].clone()).collect();
    assert_eq!(paths, [".env", "out.txt", "more.txt"]);
    assert_eq!(sandbox.read("more.txt"), sandbox.read("out.txt"));
    assert_eq!(sandbox.portkeeper("prepare --check").ok().json()["outputs"][2]["status"], "unchanged");

    std::os::unix::fs::symlink("..", sandbox.work().join("up")).unwrap();
    for files in
        [json!(["../more.txt"]), json!(["up/more.txt"]), json!([".git/hooks/more.txt"]), json!(["/tmp/more.txt"])]
    {
        with(files);
        sandbox.portkeeper("prepare").refused(2).says("outputs[1].files");
    }
    // A link that is put in the place of a file that the config consents to.
    with(json!(["more.txt"]));
    std::fs::remove_file(sandbox.work().join("more.txt")).unwrap();
    std::os::unix::fs::symlink(sandbox.root().join("home/.bashrc"), sandbox.work().join("more.txt")).unwrap();
    sandbox.portkeeper("prepare").refused(2).says("outside of the project");
    assert!(!sandbox.root().join("home/.bashrc").exists());
}

/// A plugin that writes the same text to its target and to another file.
fn writes_also(path: &str) -> WatPlugin {
    let instructions = format!(
        "(drop (call $text (local.get $request))) (i32.store (i32.const 520) (i32.const 2))
         (memory.copy (i32.const 580) (i32.const 560) (i32.const 20))
         (i32.store (i32.const 580) (i32.const 4096)) (i32.store (i32.const 584) (i32.const {})) (return (i32.const 512))",
        path.len()
    );
    shout().on_render(&instructions).items(&format!("(data (i32.const 4096) \"{path}\")"))
}

//! Plugins of third parties, from the command line on: the honest ones serve, the others do no harm.

use portkeeper_tests::hostile::{Hostile, harmful, harmful_at_once, refused};
use portkeeper_tests::{Ports, Run, Sandbox, WatPlugin};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// The type that the plugins of these tests render.
const TYPE: &str = "shout";

/// A directory with an `.env` to lose and a config that writes it before and after the plugin's file.
fn project(ports: &Ports) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write(".env", "KEEP=me\n");
    let outputs = json!([{ "type": "env" }, { "type": TYPE, "path": "out.txt" }, { "type": "json" }]);
    sandbox.write("pk.config.json", one_port(ports, outputs).to_string());
    sandbox
}

fn put(sandbox: &Sandbox, directory: &std::path::Path, bytes: &[u8]) -> std::path::PathBuf {
    sandbox.write(directory.join(format!("{TYPE}.wasm")), bytes)
}

#[test]
fn a_plugin_in_the_users_directory_serves_its_type() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    put(&sandbox, &sandbox.plugins(), &WatPlugin::new(TYPE).component());
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["outputs"][1], json!({ "type": TYPE, "path": "out.txt", "status": "written" }));
    let written: Value = serde_json::from_str(&sandbox.read("out.txt")).unwrap();
    assert_eq!(written, json!({ "SERVICE_PORT": ports.first() }));
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["outputs"][1]["status"], "unchanged");
}

#[test]
fn a_plugin_of_the_project_runs_only_after_the_user_trusts_it() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let directory = sandbox.work().join(".portkeeper/plugins");
    let path = put(&sandbox, &directory, &WatPlugin::new(TYPE).component());
    let before = sandbox.everything();
    sandbox.portkeeper("prepare").exits(2).is_one_clear_error().says("portkeeper trust").says("shout.wasm");
    assert_eq!(sandbox.read(".env"), "KEEP=me\n");
    assert!(!sandbox.registry().exists());
    before.assert_unchanged("a refusal");

    let _ = sandbox.portkeeper("trust").arg(&path).ok();
    let _ = sandbox.portkeeper("prepare").ok();
    assert!(sandbox.has("out.txt"));

    put(&sandbox, &directory, &WatPlugin::new(TYPE).named(TYPE).on_describe("(nop)").component());
    sandbox.portkeeper("prepare").exits(2).says("portkeeper trust");
}

#[test]
fn a_plugin_that_the_config_names_needs_its_digest_and_trust() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let path = sandbox.write("tools/plugin.wasm", WatPlugin::new(TYPE).component());
    let mut config = one_port(&ports, json!([{ "type": TYPE, "path": "out.txt" }]));
    config["plugins"] = json!({ TYPE: { "path": "tools/plugin.wasm", "sha256": "0".repeat(64) } });
    sandbox.write("pk.config.json", config.to_string());
    sandbox.portkeeper("prepare").run().is_one_clear_error().says("SHA-256");
    config["plugins"][TYPE].as_object_mut().unwrap().remove("sha256");
    sandbox.write("pk.config.json", config.to_string());
    sandbox.portkeeper("prepare").exits(2).says("portkeeper trust");
    let _ = sandbox.portkeeper("trust").arg(path).ok();
    let _ = sandbox.portkeeper("prepare").ok();
}

#[test]
fn a_plugin_does_not_take_over_a_built_in_type_by_its_name() {
    let ports = Ports::take(1);
    let sandbox = sandbox();
    sandbox.write(sandbox.plugins().join("env.wasm"), WatPlugin::new("env").component());
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read(".env"), format!("SERVICE_PORT={}\n", ports.first()));
}

#[test]
fn whatever_is_wrong_with_the_cache_the_plugins_run() {
    let ports = Ports::take(1);
    let sandbox = sandbox();
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": TYPE, "path": "out.txt" }])).to_string());
    put(&sandbox, &sandbox.plugins(), &WatPlugin::new(TYPE).component());
    let cache = sandbox.root().join("cache");
    let prepare = sandbox.portkeeper("prepare").env("XDG_CACHE_HOME", &cache);
    let expected = json!({ "SERVICE_PORT": ports.first() });
    let runs = |what: &str| {
        let _ = std::fs::remove_file(sandbox.work().join("out.txt"));
        prepare.ok().is_silent();
        assert_eq!(serde_json::from_str::<Value>(&sandbox.read("out.txt")).unwrap(), expected, "{what}");
    };
    runs("cold");
    runs("warm");
    let entries = || std::fs::read_dir(cache.join("portkeeper")).unwrap().map(|entry| entry.unwrap().path());
    let entries: Vec<_> = entries().filter(|path| path.is_file()).collect();
    assert!(!entries.is_empty(), "nothing was kept");
    for damage in [&b"garbage"[..], b""] {
        entries.iter().for_each(|entry| std::fs::write(entry, damage).unwrap());
        runs("damaged");
    }
    let flipped = |bytes: &[u8]| {
        bytes.iter().enumerate().map(|(at, byte)| if at == bytes.len() / 2 { !byte } else { *byte }).collect::<Vec<_>>()
    };
    for entry in &entries {
        std::fs::write(entry, flipped(&std::fs::read(entry).unwrap())).unwrap();
    }
    runs("with a bit flip");
    std::fs::remove_dir_all(&cache).unwrap();
    std::fs::write(&cache, "a file").unwrap();
    runs("without a directory");
}

/// Runs the plugin and demands that it is stopped, named, and that nothing else happened.
#[track_caller]
fn assert_harmless(hostile: &Hostile) {
    assert_harmless_in(hostile, |run| run);
}

/// The same where processes have to live with something.
#[track_caller]
fn assert_harmless_in(hostile: &Hostile, surroundings: impl for<'a> FnOnce(Run<'a>) -> Run<'a>) {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    put(&sandbox, &sandbox.plugins(), &hostile.bytes);
    let before = sandbox.all_but_registry();
    let outcome = surroundings(sandbox.portkeeper("prepare")).run();
    assert_eq!(outcome.code(), Some(3), "{}\n{outcome}", hostile.name);
    outcome.expect_code(3).is_one_clear_error().says(hostile.message);
    assert!(!outcome.stderr.chars().any(|c| c.is_control() && c != '\n'), "{outcome:?}");
    assert_eq!(sandbox.reserved(), [0; 0], "{}", hostile.name);
    before.assert_unchanged("that");
}

#[test]
fn files_that_are_no_plugins_do_no_harm() {
    refused(TYPE).iter().for_each(assert_harmless);
}

#[test]
fn plugins_that_break_the_rules_do_no_harm() {
    // Each loop runs into the deadline of several seconds: one of them is enough here, the engine's own tests have them all.
    let loops = |hostile: &Hostile| hostile.message == "did not finish";
    let all = harmful_at_once(TYPE).into_iter().chain(harmful(TYPE));
    all.filter(|hostile| !loops(hostile)).for_each(|hostile| assert_harmless(&hostile));
}

#[test]
fn a_plugin_that_never_ends_is_ended() {
    let hostile = harmful(TYPE).into_iter().find(|hostile| hostile.message == "did not finish");
    assert_harmless(&hostile.expect("a loop among the hostile plugins"));
}

/// Nothing is broken: the file is larger than its plugin can take, and that is the user's to change.
#[test]
fn a_file_that_is_too_large_for_its_plugin_is_refused_with_its_size() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let grow = "(drop (memory.grow (i32.const 1600)))";
    put(&sandbox, &sandbox.plugins(), &WatPlugin::new(TYPE).on_render(grow).component());
    sandbox.write("out.txt", "a line of twenty-six bytes\n".repeat(4_000));
    let before = sandbox.all_but_registry();
    let outcome = sandbox.portkeeper("prepare").refused(2);
    outcome.says("`out.txt` (4,000 lines, 1 key) is too large for the plugin");
    outcome.says("it needs 101 MiB of memory, more than the limit of 64 MiB").says("fewer keys");
    assert!(!outcome.stderr.contains("broken"), "{outcome}");
    assert_eq!(sandbox.reserved(), [0; 0]);
    before.assert_unchanged("that");
}

/// A plugin must not see how much memory the machine has: its answer would be another one there.
#[test]
#[cfg(target_os = "linux")]
fn a_plugin_that_gets_no_memory_gives_no_answer() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let grow = "(drop (memory.grow (i32.const 896))) (return (call $text (local.get $request)))";
    put(&sandbox, &sandbox.plugins(), &WatPlugin::new(TYPE).on_render(grow).component());
    let outcome = sandbox.portkeeper("prepare").with_memory(32 << 20).exits(3);
    outcome.is_one_clear_error().says("the system does not give it the memory that it wants");
    let _ = sandbox.portkeeper("prepare").ok();
}

/// A process that has little more addresses than it needs.
#[cfg(target_os = "linux")]
fn little(run: Run<'_>) -> Run<'_> {
    run.with_address_space(400 << 20)
}

/// There, what keeps a plugin inside its memory is in its code and not around it.
#[test]
#[cfg(target_os = "linux")]
fn plugins_run_where_address_space_is_limited() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    put(&sandbox, &sandbox.plugins(), &WatPlugin::new(TYPE).component());
    let _ = sandbox.portkeeper("prepare").ok();
    let texts = || [".env", "out.txt", "config.json"].map(|file| sandbox.read(file));
    let written = texts();
    for file in ["out.txt", "config.json"] {
        std::fs::remove_file(sandbox.work().join(file)).unwrap();
    }
    for (compiled, status) in [("just now", "written"), ("before", "unchanged")] {
        let answer = little(sandbox.portkeeper("prepare")).ok().json();
        assert_eq!(answer["outputs"][1]["status"], status, "{compiled}");
        assert_eq!(texts(), written, "{compiled}");
    }

    // Too few for a plugin's memory and the program.
    let outcome = sandbox.portkeeper("prepare").with_address_space(72 << 20).exits(3);
    outcome.is_one_clear_error().says("the system does not give it the memory that it wants");

    let beyond = |hostile: &Hostile| hostile.message == "crashed" || hostile.message == "memory";
    let beyond: Vec<_> = harmful(TYPE).into_iter().filter(beyond).collect();
    assert!(beyond.len() > 3, "{}", beyond.len());
    beyond.iter().for_each(|hostile| assert_harmless_in(hostile, little));
}

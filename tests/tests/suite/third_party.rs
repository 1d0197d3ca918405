//! A plugin as its author makes it: from the SDK, with plain cargo, in a directory that knows nothing of this repository.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use portkeeper_tests::builtin::{root, sha256};
use portkeeper_tests::{Ports, Sandbox};
use serde_json::{Value, json};

use crate::author::{WASM, can_build_or_skip, cargo, target};
use crate::config::one_port;
use crate::sandbox;

/// The type that `examples/plugin` renders, and what cargo calls its library.
const TYPE: &str = "spring";

/// The file that it proposes.
const FILE: &str = "application.properties";

/// The plugin's file, built once.
static BUILT: LazyLock<Vec<u8>> = LazyLock::new(build);

#[track_caller]
fn plugin_or_skip() -> Option<&'static [u8]> {
    can_build_or_skip().then(|| &**BUILT)
}

/// Copies the example out of the repository and builds it there.
fn build() -> Vec<u8> {
    let directory = tempfile::Builder::new().prefix("portkeeper-author-").tempdir().unwrap();
    copy_example(directory.path());
    let mut build = cargo(directory.path());
    let output = build.args(["build", "--quiet", "--release", "--target", WASM]).output().unwrap();
    assert!(output.status.success(), "{build:?}\n{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(target().join(WASM).join("release").join(format!("{TYPE}.wasm"))).unwrap()
}

fn copy_example(directory: &Path) {
    let example = root().join("examples/plugin");
    let manifest = std::fs::read_to_string(example.join("Cargo.toml")).unwrap();
    let sdk = root().join("plugin-sdk").display().to_string();
    let manifest = manifest.replace("../../plugin-sdk", &sdk);
    assert!(manifest.contains(&sdk), "the example gets the SDK from elsewhere: {manifest}");
    std::fs::write(directory.join("Cargo.toml"), manifest).unwrap();
    std::fs::create_dir(directory.join("src")).unwrap();
    std::fs::copy(example.join("src/lib.rs"), directory.join("src/lib.rs")).unwrap();
    // The versions that are in use here: nothing else is downloaded.
    std::fs::copy(root().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
}

/// A project whose config writes `application.properties` with the plugin, between two built-in formats.
fn project(ports: &Ports, output: &Value) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write(".env", "KEEP=me\n");
    configure(&sandbox, ports, output);
    sandbox
}

fn configure(sandbox: &Sandbox, ports: &Ports, output: &Value) {
    let outputs = json!([{ "type": "env" }, output, { "type": "json" }]);
    sandbox.write("pk.config.json", one_port(ports, outputs).to_string());
}

fn put(sandbox: &Sandbox, directory: &Path, bytes: &[u8]) -> PathBuf {
    sandbox.write(directory.join(format!("{TYPE}.wasm")), bytes)
}

/// Demands that the run is refused as a fault of the config's and nothing is reserved or written.
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

#[test]
fn it_is_a_plain_core_module() {
    let Some(plugin) = plugin_or_skip() else { return };
    // The layer after the version distinguishes a module (0) from a component (1).
    assert_eq!(plugin[..8], *b"\0asm\x01\0\0\0", "what cargo builds, and no further tool");
}

#[test]
fn in_the_users_directory_it_serves_its_type() {
    let Some(plugin) = plugin_or_skip() else { return };
    let ports = Ports::take(1);
    let map = json!({ "port": "${SERVICE_PORT}", "url": "http://localhost:${SERVICE_PORT}" });
    let sandbox = project(&ports, &json!({ "type": TYPE, "path": FILE, "prefix": "server.", "map": map }));
    sandbox.write(FILE, "# mine\nserver.port = 1\n");
    put(&sandbox, &sandbox.plugins(), plugin);
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["outputs"][1], json!({ "type": TYPE, "path": FILE, "status": "written" }));
    let port = ports.first();
    let text = format!("# mine\nserver.port={port}\nserver.url=http://localhost:{port}\n");
    assert_eq!(sandbox.read(FILE), text);

    let files = sandbox.everything();
    let again = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(again["outputs"][1]["status"], "unchanged");
    files.assert_unchanged("a second run");
}

#[test]
fn its_options_are_checked_before_anything_happens() {
    let Some(plugin) = plugin_or_skip() else { return };
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": TYPE, "path": FILE, "prefx": "a" }));
    put(&sandbox, &sandbox.plugins(), plugin);
    assert_refused(&sandbox, &["`prefx`", "did you mean `prefix`?"]);
    configure(&sandbox, &ports, &json!({ "type": TYPE, "path": FILE, "prefix": true }));
    assert_refused(&sandbox, &["outputs[1].prefix", "expected text in quotes, found true"]);
}

#[test]
fn its_failure_reaches_the_user_with_its_help() {
    let Some(plugin) = plugin_or_skip() else { return };
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": TYPE, "path": FILE, "map": { "a b": "${SERVICE_PORT}" } }));
    put(&sandbox, &sandbox.plugins(), plugin);
    assert_refused(
        &sandbox,
        &["outputs[1].map", "`a b` and its value cannot be written as a line", "no backslash in the value"],
    );
}

#[test]
fn in_a_project_it_needs_the_users_trust_and_again_when_its_bytes_change() {
    let Some(plugin) = plugin_or_skip() else { return };
    let ports = Ports::take(1);
    let sandbox = project(&ports, &json!({ "type": TYPE, "path": FILE }));
    let directory = sandbox.work().join(".portkeeper/plugins");
    let path = put(&sandbox, &directory, plugin);
    assert_refused(&sandbox, &["portkeeper trust", "spring.wasm"]);
    let _ = sandbox.portkeeper("trust").arg(&path).ok();
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read(FILE), format!("SERVICE_PORT={}\n", ports.first()));

    // The same plugin, and one custom section that means nothing: `\0`, its size, a name of one byte.
    let changed = [plugin, b"\0\x02\x01x"].concat();
    put(&sandbox, &directory, &changed);
    let before = sandbox.everything();
    sandbox.portkeeper("prepare").refused(2).says("portkeeper trust").says("spring.wasm");
    before.assert_unchanged("a refusal");
    let _ = sandbox.portkeeper("trust").arg(&path).ok();
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["outputs"][1]["status"], "unchanged");
}

#[test]
fn by_its_path_it_must_have_the_digest_that_the_config_names() {
    let Some(plugin) = plugin_or_skip() else { return };
    let ports = Ports::take(1);
    let sandbox = sandbox();
    let path = sandbox.write("tools/it.wasm", plugin);
    let named = |digest: &str| {
        let mut config = one_port(&ports, json!([{ "type": TYPE, "path": "out" }]));
        config["plugins"] = json!({ TYPE: { "path": "tools/it.wasm", "sha256": digest } });
        sandbox.write("pk.config.json", config.to_string());
    };
    let _ = sandbox.portkeeper("trust").arg(&path).ok();
    let right = sha256(plugin);
    named(&sha256(b"another plugin"));
    sandbox.portkeeper("prepare").refused(2).says("SHA-256").says(&right);
    assert!(!sandbox.has("out"));
    named(&right);
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(sandbox.read("out"), format!("SERVICE_PORT={}\n", ports.first()));
}

//! Shells that read what is written for them, and plugins in other languages than Rust.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use portkeeper_tests::{Ports, Sandbox, builtin::root, program_or_skip, skipped};
use serde_json::{Value, json};

use crate::config::one_port;
use crate::sandbox;

/// What every shell has to hand on unchanged.
const HARD: &str = "it's \"so\" \\ \\\\n $HOME ${X} `id` $(id) %PATH% ~ * ! & ; | < > # ä🙂 ‘’ ";

/// A project whose output writes `HARD` for a shell.
fn written_for(file: &str) -> Sandbox {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let map = json!({ "HARD": HARD.replace('$', "$$"), "EMPTY": "", "PLAIN": "a/b:8080" });
    sandbox
        .write("pk.config.json", one_port(&ports, json!([{ "type": "shell", "path": file, "map": map }])).to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    sandbox
}

#[test]
fn shells_hand_on_every_value_as_it_is() {
    for (shell, file, script) in [
        ("sh", "x.sh", ". ./x.sh; printenv HARD PLAIN"),
        ("bash", "x.sh", ". ./x.sh; printenv HARD PLAIN"),
        ("zsh", "x.sh", ". ./x.sh; printenv HARD PLAIN"),
        ("fish", "x.fish", "source x.fish; printenv HARD PLAIN"),
        ("pwsh", "x.ps1", ". ./x.ps1; printenv HARD PLAIN"),
    ] {
        if program_or_skip(shell).is_none() {
            continue;
        }
        let sandbox = written_for(file);
        let outcome = sandbox.program(shell).arg("-c").arg(script).ok();
        assert_eq!(outcome.stdout, format!("{HARD}\na/b:8080\n"), "{shell}");
    }
}

static COMPILING: Mutex<()> = Mutex::new(());

/// Puts the plugin into the user's directory, and lets it render twice: new and again.
fn renders(format: &str, plugin: &Path, file: &str, expected: impl Fn(u16) -> String) {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write(sandbox.plugins().join(format!("{format}.wasm")), std::fs::read(plugin).unwrap());
    let map = json!({ "PORT": "${SERVICE_PORT}", "URL": "http://localhost:${SERVICE_PORT}" });
    let config = |output: Value| sandbox.write("pk.config.json", one_port(&ports, json!([output])).to_string());
    config(json!({ "type": format, "path": file, "map": map }));
    let first = {
        // Compiling an interpreter takes a processor for a while: one at a time.
        let _alone = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
        sandbox.portkeeper("prepare").run()
    };
    if first.stderr.contains("to compile") {
        return skipped("idle", "the machine is too busy to compile an interpreter within portkeeper's limit");
    }
    assert_eq!(first.code(), Some(0), "{first}");
    assert_eq!(sandbox.read(file), expected(ports.first()));
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["outputs"][0]["status"], "unchanged");
    // Its own no, in its own words; and an option that it does not have.
    config(json!({ "type": format, "path": file, "map": { "a b": "1" } }));
    sandbox.portkeeper("prepare").refused(2).says("`a b` cannot be the name of");
    config(json!({ "type": format, "path": file, "nubmers": true }));
    sandbox.portkeeper("prepare").refused(2).says("did you mean `numbers`?");
    sandbox.write(file, "mine\n");
    config(json!({ "type": format, "path": file, "map": map }));
    sandbox.portkeeper("prepare").refused(2).says("Move it away");
    assert_eq!(sandbox.read(file), "mine\n");
}

#[test]
fn a_plugin_in_javascript_serves_its_type() {
    let Some(plugin) = built_or_skip("esm", "PORTKEEPER_COMPONENTIZE_JS", |tools, out| {
        let example = root().join("examples/plugin-js");
        // Node looks for packages beside the script.
        for file in ["plugin.js", "build.mjs", "package.json"] {
            std::fs::copy(example.join(file), out.join(file)).unwrap();
        }
        let _ = std::fs::remove_file(out.join("node_modules"));
        std::os::unix::fs::symlink(tools.join("node_modules"), out.join("node_modules")).unwrap();
        let mut node = Command::new("node");
        node.arg("build.mjs").env("PORTKEEPER_WIT", root().join("plugin-sdk/wit/v0.1"));
        node
    }) else {
        return;
    };
    renders("esm", &plugin, "ports.mjs", |port| {
        format!(
            "// Written by portkeeper; what you change in here is lost.\nexport const PORT = {port};\nexport const URL = \"http://localhost:{port}\";\n"
        )
    });
}

#[test]
fn a_plugin_in_python_serves_its_type() {
    let Some(plugin) = built_or_skip("python", "PORTKEEPER_COMPONENTIZE_PY", |tools, _| {
        let mut build = Command::new(root().join("examples/plugin-python/build.sh"));
        let path = std::env::var("PATH").unwrap_or_default();
        build.env("PATH", format!("{}:{path}", tools.join("bin").display()));
        build
    }) else {
        return;
    };
    renders("python", &plugin, "ports.py", |port| {
        format!(
            "# Written by portkeeper; what you change in here is lost.\nPORT = {port}\nURL = 'http://localhost:{port}'\n"
        )
    });
}

/// Builds an example with the tools in the directory that the variable names; none when it names none.
#[track_caller]
fn built_or_skip(format: &str, tools: &str, build: impl Fn(&Path, &Path) -> Command) -> Option<PathBuf> {
    let Some(directory) = std::env::var_os(tools).map(PathBuf::from) else {
        skipped(
            &tools.to_lowercase().replace("portkeeper_", ""),
            &format!("{tools} names no directory with what builds the plugin"),
        );
        return None;
    };
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("plugin-{format}"));
    std::fs::create_dir_all(&out).unwrap();
    let output = build(&directory, &out).current_dir(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(out.join(format!("{format}.wasm")))
}

//! Plugins of a project: pinned for the team, trusted by each user.

use portkeeper_tests::builtin::sha256;
use portkeeper_tests::{Ports, Sandbox, WatPlugin};
use serde_json::json;

use crate::config::one_port;
use crate::sandbox;

const FILE: &str = ".portkeeper/plugins/shout.wasm";

/// A project whose config names the type, with the plugin added to it.
fn project(ports: &Ports) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write("pk.config.json", one_port(ports, json!([{ "type": "shout", "path": "out.txt" }])).to_string());
    add(&sandbox, &WatPlugin::new("shout"));
    sandbox
}

fn add(sandbox: &Sandbox, plugin: &WatPlugin) {
    let file = sandbox.write("../tmp/download.wasm", plugin.component());
    let _ = sandbox.portkeeper("plugin add --project").arg(file).ok();
}

fn forget_trust(sandbox: &Sandbox) {
    std::fs::remove_file(sandbox.state().join("trust.json")).unwrap();
}

#[test]
fn adding_to_a_project_pins_and_trusts() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let digest = sha256(&WatPlugin::new("shout").component());
    let lock = sandbox.read("portkeeper.lock");
    assert!(
        lock.ends_with(&format!("version: 1\nplugins:\n  shout:\n    version: 1.0.0\n    sha256: {digest}\n")),
        "{lock}"
    );
    let _ = sandbox.portkeeper("prepare").ok();
    let row = sandbox.portkeeper("plugin list").ok().json();
    let row = row.as_array().unwrap().iter().find(|row| row["type"] == "shout").unwrap().clone();
    assert_eq!((&row["origin"], &row["trust"]), (&json!("project"), &json!("trusted")));

    // Another user, or the same one on another machine: the lockfile is no trust.
    forget_trust(&sandbox);
    sandbox.portkeeper("prepare").refused(2).says("portkeeper trust");

    let _ = sandbox.portkeeper("plugin remove shout --project").ok();
    assert!(!sandbox.has(FILE) && !sandbox.read("portkeeper.lock").contains("shout"));
}

#[test]
fn another_file_than_the_pinned_one_is_refused_with_both_digests_even_if_it_is_trusted() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let other = WatPlugin::new("shout").release("6.6.6").component();
    sandbox.write(FILE, &other);
    let _ = sandbox.portkeeper("trust").arg(FILE).ok();
    let before = sandbox.all_but_registry();
    let outcome = sandbox.portkeeper("prepare").refused(3);
    outcome.says(sha256(&other)).says(sha256(&WatPlugin::new("shout").component())).says("plugin add --project");
    assert_eq!(sandbox.reserved(), [0; 0]);
    before.assert_unchanged("a refusal");
}

#[test]
fn the_pin_holds_wherever_the_plugin_is_found() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    std::fs::remove_file(sandbox.work().join(FILE)).unwrap();
    sandbox.portkeeper("prepare").refused(2).says("portkeeper.lock pins a plugin for it");
    let users =
        sandbox.write(sandbox.plugins().join("shout.wasm"), WatPlugin::new("shout").release("2.0.0").component());
    sandbox.portkeeper("prepare").refused(3).says("is pinned");
    sandbox.write(users, WatPlugin::new("shout").component());
    let _ = sandbox.portkeeper("prepare").ok();
}

#[test]
fn a_plugin_that_slipped_in_is_not_pinned() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let stranger = sandbox.write(".portkeeper/plugins/cry.wasm", WatPlugin::new("cry").component());
    let _ = sandbox.portkeeper("trust").arg(stranger).ok();
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "cry", "path": "out.txt" }])).to_string());
    sandbox.portkeeper("prepare").refused(2).says("not pinned in").says("plugin add --project");
}

#[test]
fn a_lockfile_that_cannot_be_used_is_an_error_and_stays_as_it_is() {
    let ports = Ports::take(1);
    let sandbox = project(&ports);
    let good = sandbox.read("portkeeper.lock");
    for (text, words) in [
        (format!("<<<<<<< ours\n{good}"), "conflict marks"),
        (good.replace("version: 1\n", "version: 2\n"), "update portkeeper"),
        (good.replace("sha256: ", "sha256: x"), "portkeeper.lock"),
        ("\u{1b}[31m: x".to_owned(), "portkeeper.lock"),
    ] {
        sandbox.write("portkeeper.lock", &text);
        sandbox.portkeeper("prepare").refused(2).says(words);
        let file = sandbox.write("../tmp/download.wasm", WatPlugin::new("shout").component());
        sandbox.portkeeper("plugin add --project").arg(file).exits(2).says(words);
        assert_eq!(sandbox.read("portkeeper.lock"), text);
    }
}

#[test]
fn a_directory_of_plugins_that_leads_out_of_the_project_is_not_written_to() {
    let (ports, sandbox) = (Ports::take(1), sandbox());
    sandbox.write("pk.config.json", one_port(&ports, json!([{ "type": "env" }])).to_string());
    let outside = sandbox.root().join("home/outside");
    std::fs::create_dir_all(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, sandbox.work().join(".portkeeper")).unwrap();
    let file = sandbox.write("../tmp/download.wasm", WatPlugin::new("shout").component());
    sandbox.portkeeper("plugin add --project").arg(file).refused(2).says("outside of the project");
    assert_eq!(std::fs::read_dir(outside).unwrap().count(), 0);
}

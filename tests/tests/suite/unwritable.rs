//! Where nothing can be kept: every command says what helps, and a systemd unit's own directory is used.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portkeeper_tests::Sandbox;

use crate::sandbox;

fn close(directory: &Path) {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o555)).unwrap();
}

/// Every command that keeps something, in a project.
const KEEPING: [&str; 9] = [
    "reserve",
    "reserve --hold",
    "port web",
    "port --global web",
    "prepare",
    "run -- true",
    "run web -- true",
    "gc",
    "release 8080",
];

fn project(sandbox: &Sandbox) {
    sandbox.write("pk.config.json", r#"{"ports": [{"key": "WEB_PORT"}], "outputs": [{"type": "env"}]}"#);
}

#[test]
fn the_ways_out_are_named_wherever_nothing_can_be_written() {
    let sandbox = sandbox();
    project(&sandbox);
    let closed = sandbox.directory("closed");
    close(&closed);
    for (state, reason) in [(closed.as_path(), "permission denied"), (Path::new("/proc/nope"), "/proc/nope")] {
        for words in KEEPING {
            let code = if words.starts_with("run") { 125 } else { 3 };
            let outcome = sandbox.portkeeper(words).env("XDG_STATE_HOME", state).without_powers().exits(code);
            outcome.says(reason).says("hint:").says("--registry FILE").says("XDG_STATE_HOME").says("StateDirectory=");
        }
        let doctor = sandbox.portkeeper("doctor --json").env("XDG_STATE_HOME", state).without_powers().exits(1).json();
        let finding = doctor["findings"].as_array().unwrap().iter().find(|finding| finding["severity"] == "problem");
        let remedy = finding.expect("a problem")["advice"].as_str().unwrap_or_default().to_owned();
        assert!(remedy.contains("--registry FILE"), "{doctor}");
    }
    // The first way out.
    let registry = sandbox.root().join("tmp/registry.json");
    let run = sandbox.portkeeper("run --registry").arg(&registry).words("-- true");
    let _ = run.env("XDG_STATE_HOME", &closed).without_powers().ok();
}

#[test]
fn doctor_sees_what_every_command_would_fail_at() {
    let sandbox = sandbox();
    let gone = sandbox.directory("gone");
    let problem = |outcome: portkeeper_tests::Outcome, about: &str| {
        let answer = outcome.json();
        let all = answer["findings"].as_array().unwrap().clone();
        let found = all.iter().find(|finding| finding["about"] == about).unwrap_or_else(|| panic!("{answer}"));
        assert_eq!(found["severity"], "problem", "{answer}");
    };
    problem(sandbox.portkeeper("doctor --json").env("PORTKEEPER_HOST", "192.0.2.1").exits(1), "host");
    let script = "cd gone; rmdir ../gone; portkeeper doctor --json";
    problem(sandbox.shell(script).exits(1), "directory");
    assert!(!gone.exists());
    sandbox.write("pk.config.json", "{");
    problem(sandbox.portkeeper("doctor --json").exits(1), "config");
    let homeless = "unset HOME XDG_STATE_HOME; HOME= portkeeper doctor --json";
    let outcome = sandbox.shell(homeless).run();
    assert!(outcome.code() == Some(0) || outcome.code() == Some(1), "an answer in any case\n{outcome}");
}

#[test]
fn a_unit_without_a_home_uses_its_state_directory() {
    let sandbox = sandbox();
    let closed = sandbox.directory("closed");
    close(&closed);
    let unit = sandbox.directory("var/lib/shop");
    let run = |words: &str| {
        let directories = format!("{}:/var/lib/other", unit.display());
        sandbox.portkeeper(words).env("XDG_STATE_HOME", &closed).env("STATE_DIRECTORY", directories).without_powers()
    };
    let port = run("port --global web").ok().port();
    assert!(unit.join("registry.json").exists());
    assert_eq!(run("port --global web").ok().port(), port);
    let _ = run("run --global web -- true").ok();
    // A user who has a home has one registry, in services as well.
    let usual = sandbox.portkeeper("port --global web").env("STATE_DIRECTORY", &unit).ok().port();
    assert!(sandbox.registry().exists());
    assert_eq!(sandbox.portkeeper("port --global web").ok().port(), usual);
}

/// A sandbox may show a state that was written before, and let nothing be written there.
#[test]
fn a_lock_of_the_project_that_cannot_be_opened_is_gone_without() {
    let sandbox = sandbox();
    project(&sandbox);
    let _ = sandbox.portkeeper("prepare").ok();
    let locks = sandbox.state().join("locks");
    let made: Vec<_> = std::fs::read_dir(&locks).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(made.len(), 1);
    std::fs::set_permissions(&made[0], std::fs::Permissions::from_mode(0o400)).unwrap();
    close(&locks);
    let _ = sandbox.portkeeper("prepare").without_powers().ok();
    std::fs::set_permissions(&locks, std::fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_home_that_is_no_directory_is_called_that() {
    let sandbox = sandbox();
    let script = "unset XDG_STATE_HOME XDG_DATA_HOME; HOME=/dev/null portkeeper";
    for words in ["reserve --hold", "port --global web", "status"] {
        let refused = sandbox.shell(&format!("{script} {words}")).exits(3);
        refused.says("/dev/null").says("not a directory").says("--registry FILE");
    }
}

//! Whose names a directory means: worktrees in worktrees, and what belongs to other projects.

use std::path::PathBuf;

use portkeeper_tests::{Ports, Sandbox, Terminal};
use serde_json::json;

use crate::sandbox;

/// A config with one key, whose ports are these.
fn config(key: &str, ports: &Ports) -> String {
    json!({ "ports": [{ "key": key, "range": [ports.first(), ports.last()] }], "outputs": [{ "type": "env" }] })
        .to_string()
}

/// Two projects with a port each: `shop` has the first, `shop-2` the second.
fn two_projects(sandbox: &Sandbox, ports: &Ports) -> [PathBuf; 2] {
    ["shop", "shop-2"].map(|name| {
        sandbox.write(format!("{name}/pk.config.json"), config("WEB_PORT", ports));
        let directory = sandbox.work().join(name);
        let _ = sandbox.portkeeper("prepare").within(&directory).ok();
        directory
    })
}

#[test]
fn a_worktree_inside_of_another_one_is_a_project_of_its_own() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.directory("shop/.git");
    sandbox.write("shop/pk.config.json", config("WEB_PORT", &ports));
    // The layout of agents: `git worktree add .worktrees/agent`, and the config is not committed.
    sandbox.write("shop/.worktrees/agent/.git", "gitdir: ../../.git/worktrees/agent\n");
    let (shop, agent) = (sandbox.work().join("shop"), sandbox.work().join("shop/.worktrees/agent"));
    let _ = sandbox.portkeeper("prepare").within(&shop).ok();
    let written = sandbox.read("shop/.env");

    let refused = sandbox.portkeeper("prepare").within(&agent).refused(2);
    refused.says("there is none of pk.config.json").says(format!("{}", shop.join("pk.config.json").display()));
    assert!(!sandbox.has("shop/.worktrees/agent/.env"));
    let port = |directory: &PathBuf| sandbox.portkeeper("port WEB_PORT").within(directory).ok();
    assert_ne!(port(&agent).is_silent().port(), port(&shop).is_silent().port());
    let listed = sandbox.portkeeper("list --json").within(&agent).ok().json();
    assert_eq!(listed[0]["project"], json!(agent.canonicalize().unwrap()));

    sandbox.write("shop/.worktrees/agent/pk.config.json", config("WEB_PORT", &ports));
    sandbox.portkeeper("release WEB_PORT").within(&agent).ok().is_silent();
    sandbox.portkeeper("prepare").within(&agent).ok().is_silent();
    assert_eq!(sandbox.read("shop/.worktrees/agent/.env"), format!("WEB_PORT={}\n", ports.at(1)));
    assert_eq!(sandbox.read("shop/.env"), written);
}

#[test]
fn that_the_config_of_another_directory_is_used_is_said_in_one_line() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("shop/pk.config.json", config("WEB_PORT", &ports));
    let (shop, below) = (sandbox.work().join("shop"), sandbox.directory("shop/web"));
    for words in ["prepare", "port WEB_PORT", "reserve WEB_PORT", "list", "release WEB_PORT"] {
        sandbox.portkeeper(words).within(&shop).ok().is_silent();
        let _ = sandbox.portkeeper("prepare -q").within(&below).ok().is_silent();
        let outcome = sandbox.portkeeper(words).within(&below).ok();
        assert_eq!(outcome.stderr.trim_end(), "using ../pk.config.json", "{outcome}");
        let _ = sandbox.portkeeper("prepare -q").within(&below).ok().is_silent();
    }
}

#[test]
fn a_port_that_is_the_name_of_another_project_is_not_released_by_the_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let [shop, other] = two_projects(&sandbox, &ports);
    let theirs = ports.at(1);
    let plain = sandbox.portkeeper(format!("port --range {0}-{0}", ports.at(2))).ok().port();

    let release = |words: String| sandbox.portkeeper(format!("release {words}")).within(&shop);
    let refused = release(format!("{theirs} {plain}")).exits(1);
    refused.says(format!("port {theirs} is WEB_PORT of another project, ../shop-2"));
    refused.says(format!("hint: `portkeeper release {theirs} --project ../shop-2`"));
    assert_eq!(refused.json()["released"][0]["port"], plain, "a reservation of no project is released as ever");
    assert_eq!(sandbox.reserved(), [ports.at(0), theirs]);
    let _ = release(format!("{theirs} --if-exists")).exits(1);

    // Where its project is named, and where it is at home.
    let answer = release(format!("{theirs} --project ../shop-2")).ok().json();
    let expected = json!({
        "host": "127.0.0.1", "port": theirs, "protocol": "tcp", "owner": null, "name": "WEB_PORT",
        "project": other.canonicalize().unwrap(), "reason": "released by request",
    });
    let released = answer["released"][0].as_object().unwrap();
    assert!(expected.as_object().unwrap().iter().all(|(key, value)| released.get(key) == Some(value)), "{answer}");
    let _ = sandbox.portkeeper("prepare").within(&other).ok();
    let _ = sandbox.portkeeper(format!("release {theirs}")).within(sandbox.directory("shop-2/src")).ok();
    let _ = sandbox.portkeeper("prepare").within(&other).ok();
    let forced = release(format!("{theirs} --force --format table")).ok();
    assert_eq!(forced.stdout, format!("released 127.0.0.1:{theirs} (tcp) as WEB_PORT of ../shop-2\n"));
    assert_eq!(sandbox.reserved(), [ports.at(0)]);
}

#[test]
fn what_release_and_gc_report_has_one_shape() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let keys =
        |answer: serde_json::Value| answer["released"][0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let released = keys(sandbox.portkeeper(format!("release {}", ports.first())).ok().json());
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
    assert_eq!(keys(sandbox.portkeeper("gc").ok().json()), released);
    assert!(["name", "project", "reason"].iter().all(|key| released.contains(&(*key).to_owned())), "{released:?}");
}

#[test]
fn a_refused_port_comes_with_what_helps_this_project() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let [shop, _] = two_projects(&sandbox, &ports);
    let ask = |words: String, directory: &PathBuf| {
        let code = if words.starts_with("run") { 125 } else { 1 };
        sandbox.portkeeper(words).within(directory).exits(code)
    };
    let theirs = ports.at(1);
    for command in ["reserve --port", "port web --port", "pick", "run --port"] {
        let words = match command {
            "run --port" => format!("{command} {theirs} -- true"),
            _ => format!("{command} {theirs}"),
        };
        let refused = ask(words, &shop);
        refused.says("reserved as WEB_PORT of ").says(format!("hint: use {}, reserved for WEB_PORT here", ports.at(0)));
        assert!(!refused.stderr.contains("release"), "{refused}");
    }
    let outside = ask(format!("reserve --port {theirs}"), &sandbox.work());
    assert!(outside.stderr.contains("hint: ") && !outside.stderr.contains("release"), "{outside}");
    ask(format!("reserve --port {}", ports.at(0)), &shop).says("reserved as WEB_PORT").says("start your server on it");
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.at(2))).ok();
    ask(format!("reserve --port {}", ports.at(2)), &sandbox.work()).says(format!("release {}", ports.at(2)));
}

#[test]
fn all_asks_on_a_terminal_and_nowhere_else() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let reserve = || drop(sandbox.portkeeper(format!("reserve --count 2 --range {ports}")).ok());
    reserve();
    let mut terminal = Terminal::start(&sandbox.portkeeper("release --all"));
    terminal.shows("Release all 2 reservations", 1);
    terminal.types("n\n");
    assert_eq!(terminal.ends().0.code(), Some(1));
    assert_eq!(sandbox.reserved(), ports.all());
    let mut terminal = Terminal::start(&sandbox.portkeeper("release --all"));
    terminal.shows("[y/N]", 1);
    terminal.types("y\n");
    assert_eq!(terminal.ends().0.code(), Some(0));
    assert!(sandbox.reserved().is_empty());
    reserve();
    assert_eq!(Terminal::start(&sandbox.portkeeper("release --all --yes")).ends().0.code(), Some(0));
    reserve();
    sandbox.portkeeper("release --all").ok().is_silent();
    sandbox.portkeeper("release --all").exits(1).says("nothing is reserved");
}

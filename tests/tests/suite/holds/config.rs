//! Holds of names: in a config, and by `--write-env`.

use portkeeper_tests::{HolderProcess, Ports, Sandbox};
use serde_json::json;

use super::{are_bindable, is_bindable};
use crate::sandbox;

/// A config with two held ports.
fn held_config(ports: &Ports, hold: &str) -> String {
    json!({
        "hold": hold,
        "ports": [
            { "key": "WEB_PORT", "range": [ports.at(0), ports.at(0)] },
            { "key": "API_PORT", "range": [ports.at(1), ports.at(1)], "hold": "soft" },
        ],
        "outputs": [{ "type": "env" }],
    })
    .to_string()
}

fn holders(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.status().iter().filter_map(|entry| entry["holder"].as_u64()).collect()
}

#[test]
fn a_config_holds_its_ports_with_one_holder() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["guarantees"], json!({ "WEB_PORT": "exclusive", "API_PORT": "soft" }));
    assert_eq!(answer["guarantee"], "soft", "of all together the weakest");
    let first = holders(&sandbox);
    assert!(first.len() == 2 && first[0] == first[1], "{first:?}");
    assert!(ports.all().iter().all(|&port| !is_bindable(&sandbox, port)));

    // Once more: the same ports, the same holder, nothing to say.
    sandbox.portkeeper("prepare --require-free").ok().is_silent();
    assert_eq!(holders(&sandbox), first);
    let _ = sandbox.portkeeper("prepare --check").ok();

    // A key that is gone: the holder lets go of its port, and of nothing else.
    let one = json!({ "ports": [{ "key": "WEB_PORT", "hold": "exclusive" }], "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", one.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    assert_eq!(holders(&sandbox), first[..1]);
    assert!(is_bindable(&sandbox, ports.at(1)) && !is_bindable(&sandbox, ports.at(0)));
    let _ = sandbox.portkeeper("release --all").ok();
    assert!(is_bindable(&sandbox, ports.at(0)));
}

#[test]
fn another_kind_of_hold_is_another_holder_without_a_gap() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let _ = sandbox.portkeeper("prepare").ok();
    let old = holders(&sandbox);
    sandbox.write("pk.config.json", held_config(&ports, "soft"));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let rival = scope.spawn(|| {
            let mut attempts = 0_u32;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                assert!(!is_bindable(&sandbox, ports.at(0)), "it was free for a moment");
                attempts += 1;
            }
            attempts
        });
        assert_eq!(sandbox.portkeeper("prepare").ok().json()["guarantee"], "soft");
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(rival.join().unwrap() > 0);
    });
    let new = holders(&sandbox);
    assert_ne!(old[0], new[0]);
    assert_eq!(old[1], new[1], "what was soft before stays where it is");
    let _server = std::net::TcpListener::bind(("127.0.0.1", ports.at(0))).expect("a server binds through a soft hold");
}

#[test]
fn a_name_outlives_its_hold_and_is_held_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = format!("reserve --hold --write-env WEB_PORT --range {ports}");
    let answer = sandbox.portkeeper(&reserve).ok().json();
    assert_eq!((&answer["held"], &answer["lease"]["kind"]), (&json!(true), &json!("named")));
    let holder = HolderProcess::of(&answer);
    holder.kill();
    assert_eq!(sandbox.portkeeper("gc").ok().json()["released"], json!([]));
    let status = sandbox.portkeeper("status --format table").ok();
    assert!(status.stdout.contains("hold lost"), "{status}");
    // Asked without --hold, it says what is.
    let plain = sandbox.portkeeper(format!("reserve --write-env WEB_PORT --range {ports}")).ok().json();
    assert_eq!((&plain["held"], &plain["guarantee"]), (&json!(false), &json!("advisory")));
    let again = sandbox.portkeeper(&reserve).ok().json();
    assert_eq!((&again["held"], &again["port"]), (&json!(true), &json!(ports.first())));
    assert!(!is_bindable(&sandbox, ports.first()));
}

#[test]
fn a_port_whose_server_runs_cant_be_held_and_says_so() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write(
        "pk.config.json",
        held_config(&ports, "exclusive").replace("\"hold\":\"exclusive\"", "\"owner\":\"me\""),
    );
    let _ = sandbox.portkeeper("prepare").ok();
    let server = sandbox.listener("127.0.0.1", ports.at(0));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let outcome = sandbox.portkeeper("prepare").ok();
    outcome.says(format!("WEB_PORT keeps {}, but it cannot be held now", ports.at(0))).says(server.pid().to_string());
    assert_eq!(outcome.json()["guarantees"], json!({ "WEB_PORT": "advisory", "API_PORT": "soft" }));
    server.kill();
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["guarantees"]["WEB_PORT"], "exclusive");
}

#[test]
fn a_prepare_that_fails_lets_go_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let config = held_config(&ports, "exclusive")
        .replace("\"type\":\"env\"", "\"type\":\"env\",\"map\":{\"A\":\"${NOBODY_SETS_THIS}\"}");
    sandbox.write("pk.config.json", config);
    sandbox.portkeeper("prepare").refused(2).says("NOBODY_SETS_THIS");
    assert!(are_bindable(&sandbox, &ports.all()));
    assert!(sandbox.reserved().is_empty());
    assert_eq!(std::fs::read_dir(sandbox.holds()).unwrap().count(), 0);
}

#[test]
fn a_dry_run_holds_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    sandbox.write("pk.config.json", held_config(&ports, "exclusive"));
    let before = sandbox.everything();
    let answer = sandbox.portkeeper("prepare --dry-run").ok().json();
    assert_eq!(answer["guarantee"], "advisory");
    assert_eq!(sandbox.everything(), before);
    assert!(are_bindable(&sandbox, &ports.all()));
}

#[test]
fn a_config_that_asks_for_what_udp_cant_do_is_refused_with_its_line() {
    let sandbox = sandbox();
    sandbox.write("pk.config.yaml", "hold: soft\nports:\n  - key: A\n    protocol: udp\n");
    sandbox.portkeeper("prepare").refused(2).says("pk.config.yaml:3").says("ports[0].hold").says("exclusive");
}

//! `release`: what it says is what it did.

use portkeeper_tests::Ports;

use crate::sandbox;

#[test]
fn a_released_port_is_free_again() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reserve = sandbox.portkeeper(format!("reserve --port {}", ports.first()));
    let _ = reserve.ok();
    let answer = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    assert!(answer.stdout.contains(&ports.first().to_string()), "it says what it released\n{answer}");
    assert!(sandbox.reserved().is_empty());
    let _ = reserve.ok();
}

#[test]
fn what_was_not_reserved_fails_and_the_others_are_released_all_the_same() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _ = sandbox.portkeeper(format!("reserve --count 2 --range {ports}")).ok();
    let words = format!("release {} {} {}", ports.at(0), ports.at(2), ports.at(1));
    let answer = sandbox.portkeeper(words).exits(1);
    answer.says(ports.at(2).to_string());
    assert_eq!(answer.stderr.lines().count(), 1, "one line for the one that was not reserved\n{answer}");
    assert!(!answer.stdout.contains(&ports.at(2).to_string()), "it was not released\n{answer}");
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn if_exists_makes_that_no_failure() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let _ = sandbox.portkeeper(format!("release {} {} --if-exists", ports.at(0), ports.at(1))).ok();
    let _ = sandbox.portkeeper(format!("release {} --if-exists", ports.at(1))).ok();
    let _ = sandbox.portkeeper("release --owner nobody --if-exists").ok();
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn an_owner_releases_all_of_theirs_and_nobody_elses() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    for (position, owner) in [(0, "a"), (1, "b"), (2, "a")] {
        let _ = sandbox.portkeeper(format!("reserve --port {} --owner {owner}", ports.at(position))).ok();
    }
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.at(3))).ok();
    let _ = sandbox.portkeeper("release --owner a").ok();
    assert_eq!(sandbox.reserved(), [ports.at(1), ports.at(3)]);
    let _ = sandbox.portkeeper("release --owner a").exits(1);
}

#[test]
fn all_releases_everything() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --count 2 --range {ports}")).ok();
    let _ = sandbox.portkeeper("release --all").ok();
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn a_host_narrows_the_release() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for host in ["127.0.0.2", "127.0.0.3"] {
        let _ = sandbox.portkeeper(format!("reserve --port {} --host {host}", ports.first())).ok();
    }
    let _ = sandbox.portkeeper(format!("release {} --host 127.0.0.3", ports.first())).ok();
    assert_eq!(sandbox.status()[0]["host"], "127.0.0.2");
    let _ = sandbox.portkeeper(format!("release {} --host 127.0.0.3", ports.first())).exits(1);
}

#[test]
fn the_answer_is_json_when_asked() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let answer = sandbox.portkeeper(format!("release {} --json", ports.first())).ok().json();
    assert_eq!(answer["released"][0]["port"], ports.first(), "{answer}");
}

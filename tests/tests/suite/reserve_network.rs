//! Ports on hosts of the network.

use portkeeper_tests::{Kind, Lan, Namespace, Own, all_at_once};
use serde_json::json;

use crate::sandbox;

#[test]
fn an_own_address_comes_first_and_is_bound() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[]);
    let server = sandbox.stand_in_run("listen 10.77.0.253:8000").inside(lan.scanner());
    let _server = portkeeper_tests::StandIn::start(server.command());
    let outcome = sandbox.portkeeper("reserve-network --range 8000-8050 --owner me").inside(lan.scanner()).ok();
    let answer = outcome.json();
    assert_eq!((&answer["host"], &answer["port"]), (&json!("10.77.0.253"), &json!(8001)), "{outcome}");
    assert_eq!((&answer["own"], &answer["established"]), (&json!(true), &json!("bind")), "{outcome}");
    assert_eq!((&answer["guarantee"], &answer["owner"]), (&json!("advisory"), &json!("me")), "{outcome}");
}

#[test]
fn another_machine_has_to_say_that_the_port_is_closed() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Filtered, &[]);
    lan.host(2, Kind::RejectsPort, &[]);
    lan.host(3, Kind::Silent, &[]);
    lan.host(4, Kind::Normal, &[8000, 8001]);
    let reserve = sandbox.portkeeper("reserve-network --range 8000-8003 --prefer remote").inside(lan.scanner());
    let outcome = reserve.ok();
    let answer = outcome.json();
    assert_eq!((&answer["host"], &answer["port"]), (&json!("10.77.0.4"), &json!(8002)), "{outcome}");
    assert_eq!((&answer["own"], &answer["established"]), (&json!(false), &json!("scan")), "{outcome}");
    assert_eq!(answer["addresses"], json!(["10.77.0.4"]), "{outcome}");

    let hosts = reserve.clone().words("--host 10.77.0.1 --host 10.77.0.2 --host 10.77.0.3").refused(1);
    hosts.says("no free port among 8000-8003");
}

#[test]
fn callers_at_once_get_different_ports_of_the_same_host() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(9, Kind::Normal, &[8002]);
    let reserve = sandbox.portkeeper("reserve-network --range 8000-8005 --host 10.77.0.9").inside(lan.scanner());
    let outcomes = all_at_once((0..5).map(|_| reserve.clone()));
    let mut ports: Vec<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, [8000, 8001, 8003, 8004, 8005]);
    reserve.refused(1).says("no free port");
}

#[test]
fn a_remote_reservation_has_nothing_to_do_with_listeners_here() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(9, Kind::Normal, &[]);
    let server = sandbox.stand_in_run("listen 0.0.0.0:8000").inside(lan.scanner());
    let _server = portkeeper_tests::StandIn::start(server.command());
    let reserve = sandbox.portkeeper("reserve-network --port 8000 --host 10.77.0.9 --grace 0s").inside(lan.scanner());
    let _ = reserve.ok();
    let status = sandbox.portkeeper("status --json").inside(lan.scanner()).ok();
    assert_eq!(status.json()[0]["listening"], json!([]), "{status}");
    let gc = sandbox.portkeeper("gc --json").inside(lan.scanner()).ok();
    assert_eq!(gc.json()["released"][0]["port"], 8000, "its grace is over, whoever listens here: {gc}");
}

#[test]
fn several_ports_come_from_one_host() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8001]);
    lan.host(2, Kind::Normal, &[]);
    let outcome = sandbox
        .portkeeper("reserve-network --range 8000-8002 --count 3 --host 10.77.0.1 --host 10.77.0.2")
        .inside(lan.scanner())
        .ok();
    assert_eq!(outcome.ports(), [8000, 8001, 8002]);
    assert!(outcome.json().as_array().unwrap().iter().all(|port| port["host"] == "10.77.0.2"), "{outcome}");
}

#[test]
fn what_another_machine_cannot_promise_is_refused() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[]);
    for (words, needle) in [("--protocol udp", "UDP"), ("--write-env", "--write-env")] {
        let run = sandbox.portkeeper("reserve-network --host 10.77.0.1").words(words).inside(lan.scanner());
        run.refused(1).says(needle);
    }
}

#[test]
fn an_own_port_can_be_written() {
    let Some(nowhere) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    let reserve = sandbox.portkeeper("reserve-network --write-env API_PORT").inside(&nowhere);
    let port = reserve.ok().port();
    assert_eq!(sandbox.read(".env"), format!("API_PORT={port}\n"));
    assert_eq!(reserve.ok().port(), port, "asked again, it is the same");
}

//! Scans that cannot be, and scans that are cut short.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use portkeeper_tests::{Kind, Lan, Namespace, Own};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::sandbox;

#[test]
fn what_is_no_port_no_network_and_no_host() {
    let Some(nowhere) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    for (words, needle) in [
        ("scan --range 0-10", "1 to 65535"),
        ("scan --range 8000-70000", "70000"),
        ("scan --range 8050-8000", "8000-8050"),
        ("scan --ports 0", "1 to 65535"),
        ("scan --ports 70000", "70000"),
        ("scan --ports 22,,80", "--ports"),
        ("scan --ports 80-22", "22-80"),
        ("scan --ports http", "http"),
        ("scan --range 8000-8050 --ports 22", "--ports"),
        ("scan --cidr 10.0.0.0/33", "192.0.2.0/24"),
        ("scan --cidr somewhere", "192.0.2.0/24"),
        ("scan --cidr 10.0.0.0/8", "--yes"),
        ("scan --host no-such-host.invalid", "cannot be resolved"),
        ("scan --host 127.0.0.1:80", "without a port"),
        ("scan 22", "-p 22"),
        ("scan 8000-8010", "-p 8000-8010"),
        ("scan nas:22", "nas -p 22"),
        ("scan 10.0.0.0/33", "192.0.2.0/24"),
        ("scan 10.0.0.0/8", "--yes"),
        ("scan no-such-host.invalid", "cannot be resolved"),
        ("scan -p http localhost", "http"),
        ("scan --rate many", "is not a whole number"),
        ("scan --interface eth7", "there is no interface `eth7`"),
        ("scan --fast --thorough", "--thorough"),
        ("scan --open --free", "--free"),
        ("scan --rate 0", "--rate"),
        ("scan --timeout soon", "duration"),
        ("scan --stream --json", "--stream"),
        ("reserve-network --range 9000-8000", "8000-9000"),
        ("reserve-network --port 0", "1 to 65535"),
        ("reserve-network --prefer mine", "own"),
        ("reserve-network --host no-such-host.invalid", "cannot be resolved"),
        ("reserve-network --cidr 10.0.0.0/8", "--yes"),
        ("reserve --host 127.0.0.1 --host 127.0.0.2", "--host is one host"),
    ] {
        sandbox.portkeeper(words).inside(&nowhere).refused(2).says(needle);
    }
}

#[test]
fn a_machine_without_a_network_has_nothing_to_scan_but_itself() {
    let Some(nowhere) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    sandbox.portkeeper("scan").inside(&nowhere).refused(3).says("only the loopback interface").says("--host 127.0.0.1");
    let own = sandbox.portkeeper("scan --host 127.0.0.1 --ports 8000-8002").inside(&nowhere).ok();
    assert_eq!(own.json()["hosts"][0]["closed"], json!(["8000-8002"]), "{own}");
    let reserved = sandbox.portkeeper("reserve-network").inside(&nowhere).ok();
    reserved.says("127.0.0.1");
    let answer = reserved.json();
    assert_eq!((&answer["host"], &answer["own"]), (&json!("127.0.0.1"), &json!(true)), "{reserved}");
    assert_eq!(answer["addresses"], json!(["127.0.0.1", "::1"]), "{reserved}");
}

#[test]
fn where_no_route_leads_nobody_is_found() {
    let Some(nowhere) = Namespace::or_skip(Own::Network) else { return };
    // A documentation address (RFC 5737), in a namespace from which nothing leads anywhere.
    let outcome = sandbox().portkeeper("scan --host 198.51.100.1 --ports 80 --fast").inside(&nowhere).ok();
    let answer = outcome.json();
    assert_eq!(answer["hosts"], json!([]), "{outcome}");
    assert!(answer["notes"].to_string().contains("198.51.100.1 does not answer"), "{outcome}");
}

#[test]
fn an_interface_that_is_down_is_named() {
    let sandbox = sandbox();
    let Some(lan) = Lan::or_skip(&sandbox) else { return };
    lan.at_scanner("ip link set eth0 down");
    sandbox.portkeeper("scan --interface eth0").inside(lan.scanner()).refused(3).says("`eth0` is down");
    sandbox.portkeeper("scan").inside(lan.scanner()).refused(3).says("no network to scan");
}

/// Starts a streaming scan, acts on it when the first host is found, and returns its exit code and its last line.
fn disturb(run: &portkeeper_tests::Run<'_>, act: impl FnOnce(Pid)) -> (Option<i32>, Value) {
    let mut child = run.command().stdout(Stdio::piped()).spawn().expect("portkeeper");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
    let found = lines.find(|line| line.contains("10.77.0.1\""));
    assert!(found.is_some(), "the host was not found");
    act(Pid::from_child(&child));
    let last = lines.last().expect("a last line");
    let code = child.wait().expect("an end").code();
    (code, serde_json::from_str(&last).expect("JSON"))
}

#[test]
fn an_interface_that_goes_away_ends_the_scan() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let scan = sandbox.portkeeper("scan --ports 8000-8010 --stream --thorough").inside(lan.scanner());
    let (code, last) = disturb(&scan, |_| lan.at_scanner("ip link del eth0"));
    assert_eq!((code, &last["event"], &last["complete"]), (Some(3), &json!("finished"), &json!(false)), "{last}");
}

#[test]
fn what_is_known_when_the_user_interrupts_is_printed() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let scan = sandbox.portkeeper("scan --ports 8000-8010 --stream --thorough").inside(lan.scanner());
    let (code, last) = disturb(&scan, |pid| kill_process(pid, Signal::INT).expect("kill"));
    assert_eq!((code, &last["event"], &last["complete"]), (Some(130), &json!("finished"), &json!(false)), "{last}");
}

#[test]
fn a_scan_stops_when_its_time_is_up() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let outcome = sandbox.portkeeper("scan --thorough --timeout 1s --ports 8005").inside(lan.scanner()).exits(1);
    let answer = outcome.json();
    assert_eq!(answer["complete"], false, "{outcome}");
    assert_eq!(answer["hosts"][0]["open"], json!([8005]), "{outcome}");
    assert!(answer["notes"].to_string().contains("stopped after"), "{outcome}");
}

//! The look around, in networks that the tests make.

use portkeeper_tests::{Kind, Lan, Outcome, Sandbox, program_or_skip};
use serde_json::{Value, json};

use crate::sandbox;

const PORTS: &str = "--range 8000-8020";

/// Every kind of host, each with a server on 8005.
const KINDS: [(u8, Kind); 9] = [
    (1, Kind::Normal),
    (2, Kind::NoIcmp),
    (3, Kind::Filtered),
    (4, Kind::Stealth),
    (5, Kind::Silent),
    (6, Kind::RejectsPort),
    (7, Kind::RejectsHost),
    (8, Kind::RstLimited),
    (9, Kind::Lossy),
];

fn lan_of_all_kinds(sandbox: &Sandbox) -> Option<Lan<'_>> {
    let mut lan = Lan::or_skip(sandbox)?;
    for (number, kind) in KINDS {
        lan.host(number, kind, if kind == Kind::Silent { &[] } else { &[8005] });
    }
    Some(lan)
}

/// The host with this address; null when it was not found.
fn host<'a>(answer: &'a Value, address: &str) -> &'a Value {
    let hosts = answer["hosts"].as_array().expect("hosts");
    hosts.iter().find(|host| host["address"] == address).unwrap_or(&Value::Null)
}

fn addresses(answer: &Value) -> Vec<&str> {
    answer["hosts"].as_array().expect("hosts").iter().map(|host| host["address"].as_str().expect("text")).collect()
}

/// Every host is found, every server, every free port of those that say so, and not one port is called closed by mistake.
#[track_caller]
fn assert_all_kinds(outcome: &Outcome, address: impl Fn(u8) -> String) {
    let answer = outcome.json();
    for (number, kind) in KINDS {
        let host = host(&answer, &address(number));
        let says_closed = matches!(kind, Kind::Normal | Kind::NoIcmp | Kind::RstLimited | Kind::Lossy);
        let (open, closed) = match kind {
            Kind::Silent => (json!([]), json!([])),
            _ if says_closed => (json!([8005]), json!(["8000-8004", "8006-8020"])),
            _ => (json!([8005]), json!([])),
        };
        assert_eq!((&host["open"], &host["closed"]), (&open, &closed), "{kind:?}\n{outcome}");
    }
}

fn ipv4(number: u8) -> String {
    format!("10.77.0.{number}")
}

#[test]
fn every_kind_of_host_is_seen_as_what_it_is() {
    let sandbox = sandbox();
    let Some(lan) = lan_of_all_kinds(&sandbox) else { return };
    let outcome = sandbox.portkeeper(format!("scan {PORTS}")).inside(lan.scanner()).ok();
    outcome.is_silent();
    assert_all_kinds(&outcome, ipv4);

    let answer = outcome.json();
    assert_eq!(addresses(&answer).len(), 10, "nine hosts and ourselves, nobody else: {outcome}");
    assert_eq!(host(&answer, "10.77.0.1")["up_by"], json!(["neighbor", "icmp", "tcp"]));
    assert_eq!(host(&answer, "10.77.0.2")["up_by"], json!(["neighbor", "tcp"]));
    assert_eq!(host(&answer, "10.77.0.5")["up_by"], json!(["neighbor"]));
    assert_eq!(host(&answer, "10.77.0.5")["filtered"], json!(["8000-8020"]));
    for rejecting in ["10.77.0.6", "10.77.0.7"] {
        assert_ne!(host(&answer, rejecting)["rejected"], json!([]), "{outcome}");
    }
    let own = host(&answer, "10.77.0.253");
    assert_eq!((&own["own"], &own["up_by"], &own["closed"]), (&json!(true), &json!(["own"]), &json!(["8000-8020"])));
    assert_eq!(answer["scanned"]["networks"], json!(["10.77.0.0/24"]));
    assert_eq!((&answer["scanned"]["ports"], &answer["scanned"]["addresses"]), (&json!("8000-8020"), &json!(254)));
    assert_eq!((&answer["complete"], &answer["notes"]), (&json!(true), &json!([])));
}

#[test]
fn targets_and_ports_are_plain_words() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(7, Kind::Normal, &[8005]);
    for words in ["10.77.0.7 -p 8004-8005", "10.77.0.0/28 -p 8004,8005", "--host 10.77.0.7 10.77.0.7 --ports 8004-8005"]
    {
        let answer = sandbox.portkeeper(format!("scan {words} --fast")).inside(lan.scanner()).ok().json();
        assert_eq!(addresses(&answer), ["10.77.0.7"], "{words}: {answer}");
        let found = host(&answer, "10.77.0.7");
        assert_eq!((&found["open"], &found["closed"]), (&json!([8005]), &json!(["8004"])), "{words}: {answer}");
    }
}

#[test]
fn haste_and_thoroughness_make_no_port_closed() {
    let sandbox = sandbox();
    let Some(lan) = lan_of_all_kinds(&sandbox) else { return };
    for pace in ["--fast", "--thorough"] {
        lan.at_scanner("ip neigh flush all");
        let outcome = sandbox.portkeeper(format!("scan {PORTS} {pace}")).inside(lan.scanner()).ok();
        let answer = outcome.json();
        assert_eq!(addresses(&answer).len(), 10, "{outcome}");
        for silent in ["10.77.0.3", "10.77.0.4", "10.77.0.5", "10.77.0.6", "10.77.0.7"] {
            assert_eq!(host(&answer, silent)["closed"], json!([]), "{outcome}");
        }
        assert_eq!(host(&answer, "10.77.0.1")["closed"], json!(["8000-8004", "8006-8020"]), "{outcome}");
    }
}

#[test]
fn hosts_of_ipv6_are_found_without_asking_every_address() {
    let sandbox = sandbox();
    let Some(lan) = lan_of_all_kinds(&sandbox) else { return };
    // An address that a scan would not guess answers the call to all.
    lan.at_hosts("ip addr add fd77::5:6:7:8/64 dev br0 nodad");
    let outcome = sandbox.portkeeper(format!("scan -6 {PORTS}")).inside(lan.scanner()).ok();
    assert_all_kinds(&outcome, |number| format!("fd77::{number:x}"));
    let answer = outcome.json();
    assert_eq!(answer["hosts"].as_array().unwrap().iter().filter(|host| host["own"] == true).count(), 1, "{outcome}");
}

#[test]
fn an_ordinary_user_sees_as_much() {
    let sandbox = sandbox();
    let Some(lan) = lan_of_all_kinds(&sandbox) else { return };
    if !lan.scanner().has_all_users() {
        return portkeeper_tests::skipped("ROOT", "only root can become another user");
    }
    for (group_range, icmp) in [("1 0", false), ("0 2147483647", true)] {
        lan.at_scanner(&format!("ip neigh flush all; echo {group_range} > /proc/sys/net/ipv4/ping_group_range"));
        let scan = sandbox.portkeeper(format!("scan {PORTS}")).without_root().inside(lan.scanner());
        let outcome = scan.ok();
        assert_all_kinds(&outcome, ipv4);
        let answer = outcome.json();
        let echoed = host(&answer, "10.77.0.1")["up_by"].as_array().unwrap().contains(&json!("icmp"));
        assert_eq!(echoed, icmp, "{outcome}");
        assert_eq!(answer["notes"].to_string().contains("ping_group_range"), !icmp, "{outcome}");
    }
}

#[test]
fn few_open_files_are_enough() {
    let sandbox = sandbox();
    let Some(lan) = lan_of_all_kinds(&sandbox) else { return };
    let outcome = sandbox.portkeeper(format!("scan {PORTS}")).with_open_files(64).inside(lan.scanner()).ok();
    assert_all_kinds(&outcome, ipv4);
}

#[test]
fn a_slow_host_loses_no_port() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.slow_crowd(&[(20, vec![8005])], 50);
    for pace in ["", "--fast"] {
        lan.at_scanner("ip neigh flush all");
        let outcome = sandbox.portkeeper(format!("scan --host 10.77.0.20 {PORTS} {pace}")).inside(lan.scanner()).ok();
        let answer = outcome.json();
        let slow = host(&answer, "10.77.0.20");
        assert_eq!((&slow["open"], &slow["closed"]), (&json!([8005]), &json!(["8000-8004", "8006-8020"])), "{outcome}");
        assert!(slow["rtt_ms"].as_f64().unwrap() >= 100.0, "{outcome}");
    }
}

#[test]
fn a_server_on_loopback_only_is_not_seen_from_outside() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[]);
    let server = sandbox.stand_in_run("listen 127.0.0.1:8003").inside(lan.hosts());
    let _server = portkeeper_tests::StandIn::start(server.command());
    let outcome = sandbox.portkeeper(format!("scan {PORTS}")).inside(lan.scanner()).ok();
    assert_eq!(host(&outcome.json(), "10.77.0.1")["closed"], json!(["8000-8020"]), "{outcome}");
}

#[test]
fn an_unplugged_neighbour_is_only_cached_and_a_present_one_is_proven() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    lan.host(2, Kind::Normal, &[8005]);
    let scan = sandbox.portkeeper(format!("scan {PORTS}")).inside(lan.scanner());
    assert_eq!(addresses(&scan.ok().json()).len(), 3);
    lan.at_hosts("ip addr del 10.77.0.2/24 dev br0");
    let outcome = scan.ok();
    let answer = outcome.json();
    assert_eq!(host(&answer, "10.77.0.1")["closed"], json!(["8000-8004", "8006-8020"]), "{outcome}");
    let gone = host(&answer, "10.77.0.2");
    assert_eq!(
        (&gone["up_by"], &gone["open"], &gone["closed"]),
        (&json!(["cached"]), &json!([]), &json!([])),
        "{outcome}"
    );
}

#[test]
fn a_large_network_is_asked_through_a_window() {
    let sandbox = sandbox();
    let Some(lan) = Lan::or_skip(&sandbox) else { return };
    lan.at_scanner("ip addr flush dev eth0; ip addr add 10.78.0.1/21 dev eth0");
    lan.at_hosts("for i in 1 2 3 4 5 6 7; do ip addr add 10.78.$i.250/21 dev br0; done");
    let narrowed = sandbox.portkeeper("scan --ports 8000").inside(lan.scanner()).ok();
    assert!(narrowed.json()["notes"].to_string().contains("--yes"), "{narrowed}");
    assert_eq!(narrowed.json()["scanned"]["networks"], json!(["10.78.0.0/24"]), "{narrowed}");
    let all = sandbox.portkeeper("scan --ports 8000 --yes").inside(lan.scanner()).ok();
    assert_eq!(addresses(&all.json()).len(), 8, "{all}");
    assert_eq!(all.json()["scanned"]["addresses"], 2046, "{all}");
}

#[test]
fn own_ports_are_bound_and_none_is_invented() {
    let sandbox = sandbox();
    let Some(lan) = Lan::or_skip(&sandbox) else { return };
    // The kernel's ephemeral range: a connection to a port there may come out of that very port.
    lan.at_scanner("echo 32768 32867 > /proc/sys/net/ipv4/ip_local_port_range");
    let stand_in =
        |words: &str| portkeeper_tests::StandIn::start(sandbox.stand_in_run(words).inside(lan.scanner()).command());
    let _listening = stand_in("listen 10.77.0.253:32800");
    let _bound = stand_in("bind 10.77.0.253:32801");
    let outcome = sandbox.portkeeper("scan --host 10.77.0.253 --range 32768-32867").inside(lan.scanner()).ok();
    let answer = outcome.json();
    let own = host(&answer, "10.77.0.253");
    assert_eq!(own["open"], json!([32800]), "{outcome}");
    assert_eq!(
        (&own["bound"], &own["closed"]),
        (&json!(["32801"]), &json!(["32768-32799", "32802-32867"])),
        "{outcome}"
    );
}

#[test]
fn several_interfaces_and_overlapping_networks_are_scanned_once() {
    let sandbox = sandbox();
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    lan.host(1, Kind::Normal, &[8005]);
    let other = lan.another();
    lan.cable("eth1", &other, "eth0");
    lan.at_scanner("ip addr add 10.77.1.253/23 dev eth1; ip link set eth1 up");
    lan.script(&other, "ip addr add 10.77.1.9/23 dev eth0; ip link set eth0 up");
    lan.wait_for_link(lan.scanner(), "eth1");
    let outcome = sandbox.portkeeper(format!("scan {PORTS}")).inside(lan.scanner()).ok();
    let answer = outcome.json();
    assert_eq!(addresses(&answer), ["10.77.0.1", "10.77.0.253", "10.77.1.9", "10.77.1.253"], "{outcome}");
    assert_eq!(answer["scanned"]["networks"], json!(["10.77.0.0/23"]), "{outcome}");
    assert!(answer["notes"].to_string().contains("overlap"), "{outcome}");

    let one = sandbox.portkeeper(format!("scan {PORTS} --interface eth1")).inside(lan.scanner()).ok();
    assert_eq!(addresses(&one.json()), ["10.77.0.253", "10.77.1.9", "10.77.1.253"], "{one}");
}

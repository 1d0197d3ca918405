//! Which port a reserve takes, and how it answers.

use std::io::{Read, Write};
use std::net::TcpStream;

use portkeeper_tests::{Ports, StandIn, ipv6_or_skip, program_or_skip};
use serde_json::json;

use crate::sandbox;

#[test]
fn the_answer_is_one_json_object() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let answer = sandbox.portkeeper(format!("reserve --port {ports} --owner me", ports = ports.first())).ok();
    answer.is_silent();
    let expected = json!({
        "host": "127.0.0.1", "port": ports.first(), "protocol": "tcp", "held": false, "guarantee": "advisory",
        "holder": null, "addresses": ["127.0.0.1", "::1"], "owner": "me", "name": null, "project": null,
        "lease": { "kind": "grace", "seconds": 60 }, "protocols": ["tcp"], "moved_from": null, "occupied_by": [],
    });
    assert_eq!(answer.json(), expected);
    assert!(answer.stdout.ends_with("}\n"), "one line end after the answer");
}

#[test]
fn without_an_owner_the_field_is_null() {
    let sandbox = sandbox();
    assert_eq!(sandbox.portkeeper("reserve").ok().json().get("owner"), Some(&json!(null)));
}

#[test]
fn an_exact_port_is_that_one_or_none() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let reserve = sandbox.portkeeper(format!("reserve --port {}", ports.first()));
    assert_eq!(reserve.ok().port(), ports.first());
    reserve.refused(1).says(ports.first().to_string());
    assert_eq!(sandbox.reserved(), [ports.first()]);
}

#[test]
fn a_preferred_port_is_taken_when_it_is_free_else_the_range_ascending() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let reserve = sandbox.portkeeper(format!("port --preferred {} --range {ports}", ports.at(2)));
    let given: Vec<u16> = (0..4).map(|_| reserve.ok().port()).collect();
    assert_eq!(given, [ports.at(2), ports.at(0), ports.at(1), ports.at(3)]);
    reserve.refused(1);
}

#[test]
fn a_range_is_written_with_a_hyphen_or_as_two_numbers() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let first = sandbox.portkeeper(format!("port --range {}-{}", ports.first(), ports.last())).ok().port();
    let second = sandbox.portkeeper(format!("port --range {} {}", ports.first(), ports.last())).ok().port();
    assert_eq!([first, second], [ports.first(), ports.last()]);
}

#[test]
fn a_count_is_answered_in_full_or_not_at_all() {
    let (sandbox, ports) = (sandbox(), Ports::take(5));
    let three = sandbox.portkeeper(format!("reserve --count 3 --range {ports}")).ok();
    assert_eq!(three.json().as_array().map(Vec::len), Some(3));
    assert_eq!(three.ports(), ports.all()[..3]);
    sandbox.portkeeper(format!("reserve --count 3 --range {ports}")).refused(1);
    assert_eq!(sandbox.reserved(), ports.all()[..3], "a refused request leaves nothing");
    let rest = sandbox.portkeeper(format!("port --count 2 --range {ports}")).ok();
    assert_eq!(rest.stdout, format!("{}\n{}\n", ports.at(3), ports.at(4)));
}

#[test]
fn a_count_never_gives_a_port_twice_however_short_its_lease_is() {
    for lease in ["--grace 0s", "--ttl 1ms"] {
        let (sandbox, ports) = (sandbox(), Ports::take(3));
        let given = sandbox.portkeeper(format!("port --count 3 --range {ports} {lease}")).ok().ports();
        assert_eq!(given, ports.all(), "{lease}");
    }
}

#[test]
fn port_prints_the_bare_number() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let answer = sandbox.portkeeper(format!("port --range {ports}")).ok();
    assert_eq!(answer.is_silent().stdout, format!("{}\n", ports.first()));
}

#[test]
fn profiles_prefer_their_port_and_stay_in_their_range() {
    let sandbox = sandbox();
    for (profile, preferred, last) in [("service", 8888, 8988), ("frontend", 8080, 8180), ("default", 8000, 9000)] {
        let given = sandbox.portkeeper(format!("port --profile {profile} --count 3")).ok().ports();
        assert!(given.iter().all(|port| (preferred..=last).contains(port)), "{profile}: {given:?}");
        assert!(given.is_sorted(), "{profile}: {given:?}");
    }
}

#[test]
fn without_range_or_profile_the_policy_gives_good_ports() {
    let sandbox = sandbox();
    let ephemeral = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let bounds: Vec<u16> = ephemeral.split_whitespace().map(|bound| bound.parse().unwrap()).collect();
    let given = sandbox.portkeeper("port --count 20").ok();
    let given = given.is_silent().ports();
    for port in &given {
        assert!(*port > 1024 && !(6665..=6669).contains(port) && *port != 6000, "{port}");
        assert!(!matches!(bounds[..], [low, high] if (low..=high).contains(port)), "{port} is ephemeral");
    }
    let others = sandbox.portkeeper("port --count 20").ok().ports();
    assert!(given.iter().all(|port| !others.contains(port)));
}

#[test]
fn two_users_do_not_start_at_the_same_port() {
    // From a random start: two registries that know nothing of each other rarely meet. Three times is no accident.
    let pick = || sandbox().portkeeper("port").ok().port();
    assert!((0..3).any(|_| pick() != pick()));
}

#[test]
fn hosts_that_overlap_never_share_a_port() {
    if !ipv6_or_skip() {
        return;
    }
    let hosts = ["localhost", "127.0.0.1", "0.0.0.0", "::1", "::"];
    for first in hosts {
        for second in hosts {
            if [first, second] == ["::1", "::1"] {
                continue;
            }
            let (sandbox, ports) = (sandbox(), Ports::take(1));
            let reserve = |host| sandbox.portkeeper(format!("reserve --port {} --host {host}", ports.first()));
            let answer = reserve(first).ok().json();
            assert_eq!(answer["host"], first, "the host as it was written");
            reserve(second).refused(1);
        }
    }
}

#[test]
fn each_host_lists_the_addresses_it_stands_for() {
    if !ipv6_or_skip() {
        return;
    }
    let sandbox = sandbox();
    let both = json!(["127.0.0.1", "::1"]);
    for (host, addresses) in [
        ("localhost", both.clone()),
        ("127.0.0.1", both),
        ("0.0.0.0", json!(["0.0.0.0"])),
        ("::1", json!(["::1"])),
        ("::", json!(["::"])),
        ("127.0.0.2", json!(["127.0.0.2"])),
    ] {
        assert_eq!(sandbox.portkeeper(format!("reserve --host {host}")).ok().json()["addresses"], addresses, "{host}");
    }
}

#[test]
fn two_loopback_addresses_of_their_own_share_a_port() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for host in ["127.0.0.2", "127.0.0.3", "::1"] {
        let answer = sandbox.portkeeper(format!("reserve --port {} --host {host}", ports.first())).ok();
        assert_eq!(answer.port(), ports.first());
    }
}

#[test]
fn tcp_and_udp_share_a_port() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for protocol in ["tcp", "udp"] {
        let reserve = sandbox.portkeeper(format!("reserve --port {} --protocol {protocol}", ports.first()));
        assert_eq!(reserve.ok().json()["protocol"], protocol);
        reserve.refused(1);
    }
}

#[test]
fn the_default_host_can_be_set_in_the_environment() {
    if !ipv6_or_skip() {
        return;
    }
    let sandbox = sandbox();
    let reserve = sandbox.portkeeper("reserve").env("PORTKEEPER_HOST", "127.0.0.2");
    assert_eq!(reserve.ok().json()["host"], "127.0.0.2");
    assert_eq!(reserve.words("--host ::1").ok().json()["host"], "::1");
}

#[test]
fn a_server_starts_on_the_port_that_was_printed() {
    let Some(_) = program_or_skip("python3") else { return };
    let sandbox = sandbox();
    sandbox.write("hello.txt", "hello from the reserved port");
    // Its first line is `Serving HTTP on 127.0.0.1 port 8888 (...) ...`.
    let script = "exec python3 -u -m http.server $(portkeeper port --profile service) --bind 127.0.0.1 2>/dev/null";
    let server = StandIn::start(sandbox.shell(script).command());
    let port: u16 = server.said().split(' ').skip_while(|word| *word != "port").nth(1).unwrap().parse().unwrap();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.write_all(b"GET /hello.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("hello from the reserved port"), "{answer}");
    assert_eq!(sandbox.reserved(), [port]);
}

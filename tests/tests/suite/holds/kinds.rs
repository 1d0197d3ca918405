//! What each kind of hold keeps out, and what it lets in.

use portkeeper_tests::{Ports, ipv6_or_skip, listen_when_free, program_or_skip};
use serde_json::json;

use super::{hold, is_bindable, ways_in};
use crate::sandbox;

#[test]
fn nobody_binds_a_port_that_is_held() {
    if !ipv6_or_skip() {
        return;
    }
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    for (position, kind) in [(0, "exclusive"), (1, "gated")] {
        let port = ports.at(position);
        let (answer, holder) = hold(&sandbox, &format!("--hold={kind} --port {port}"));
        assert_eq!(
            (&answer["held"], &answer["guarantee"], &answer["port"]),
            (&json!(true), &json!(kind), &json!(port))
        );
        assert_eq!(ways_in(&sandbox, port), [""; 0], "{kind}");
        let _ = sandbox.portkeeper(format!("release {port}")).ok();
        assert_eq!(ways_in(&sandbox, port).len(), 16, "released, every way leads in");
        holder.ends();
    }
}

#[test]
fn a_wildcard_is_held_for_both_families() {
    if program_or_skip("python3").is_none() {
        return;
    }
    for host in ["0.0.0.0", "::"] {
        let (sandbox, ports) = (sandbox(), Ports::take(1));
        let _ = hold(&sandbox, &format!("--hold --port {} --host {host}", ports.first()));
        assert_eq!(ways_in(&sandbox, ports.first()), [""; 0], "{host}");
    }
}

#[test]
fn a_soft_hold_lets_in_whoever_sets_reuseaddr() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let outcome = sandbox.portkeeper(format!("reserve --hold=soft --port {}", ports.first())).ok();
    outcome.says("SO_REUSEADDR").says("so can any other");
    assert_eq!(outcome.json()["guarantee"], "soft");
    let ways = ways_in(&sandbox, ports.first());
    assert!(!ways.is_empty() && ways.iter().all(|way| way.contains("SO_REUSEADDR")), "{ways:?}");
}

#[test]
fn a_server_restarts_through_a_soft_hold() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let (_, holder) = hold(&sandbox, &format!("--hold=soft --port {}", ports.first()));
    for _ in 0..5 {
        // The standard library's listener sets SO_REUSEADDR on Unix.
        let server = listen_when_free(([127, 0, 0, 1], ports.first()).into());
        let _client = std::net::TcpStream::connect(("127.0.0.1", ports.first())).unwrap();
        drop(server.accept().unwrap());
    }
    assert!(holder.runs());
}

#[test]
fn udp_is_held_exclusively_and_in_no_other_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --protocol udp", ports.first());
    sandbox.portkeeper(format!("reserve --hold=soft {words}")).refused(2).says("--hold=exclusive");
    let (_, holder) = hold(&sandbox, &format!("--hold {words}"));
    assert!(std::net::UdpSocket::bind(("127.0.0.1", ports.first())).is_err());
    assert_eq!(sandbox.status()[0]["listening"], json!([]), "that is only the hold");
    assert!(is_bindable(&sandbox, ports.first()), "TCP is another port");
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    let _ = std::net::UdpSocket::bind(("127.0.0.1", ports.first())).unwrap();
    holder.ends();
}

#[test]
fn a_port_that_is_held_is_reserved_by_nobody_else() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (_, holder) = hold(&sandbox, &format!("--hold --port {}", ports.first()));
    let refusal = sandbox.portkeeper(format!("reserve --port {}", ports.first())).refused(1);
    refusal.says(format!("while process {} holds it", holder.pid()));
    assert_eq!(sandbox.portkeeper(format!("port --range {ports}")).ok().port(), ports.at(1));
    // A caller with another registry sees it through the kernel.
    let other = sandbox.portkeeper(format!("--registry other.json reserve --port {}", ports.first()));
    other.refused(1).says(holder.pid().to_string());
}

#[test]
fn grace_and_hold_exclude_each_other() {
    sandbox().portkeeper("reserve --hold --grace 1m").refused(2).says("--grace");
    sandbox().portkeeper("reserve --foreground").refused(2).says("--hold");
    sandbox().portkeeper("reserve --hold=firm").refused(2).says("exclusive, gated or soft");
}

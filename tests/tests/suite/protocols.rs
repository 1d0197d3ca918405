//! One number for TCP and UDP: `--protocol tcp,udp`.

use std::net::{TcpListener, UdpSocket};

use portkeeper_tests::{HolderProcess, Ports, Sandbox, StandIn, program_or_skip};
use serde_json::{Value, json};

use crate::sandbox;

fn both(sandbox: &Sandbox, words: &str) -> Value {
    sandbox.portkeeper(format!("{words} --protocol tcp,udp")).ok().json()
}

/// The protocols that each reserved port is reserved for.
fn protocols(sandbox: &Sandbox) -> Vec<(u64, String)> {
    let of = |entry: &Value| (entry["port"].as_u64().unwrap(), entry["protocol"].as_str().unwrap().to_owned());
    let mut all: Vec<_> = sandbox.status().iter().map(of).collect();
    all.sort();
    all
}

fn both_of(ports: &[u16]) -> Vec<(u64, String)> {
    ports.iter().flat_map(|&port| ["tcp", "udp"].map(|protocol| (u64::from(port), protocol.to_owned()))).collect()
}

/// Whether another program can bind the port for TCP, and for UDP.
fn bindable(port: u16) -> (bool, bool) {
    (TcpListener::bind(("127.0.0.1", port)).is_ok(), UdpSocket::bind(("127.0.0.1", port)).is_ok())
}

#[test]
fn a_port_is_reserved_for_both_protocols_or_not_at_all() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let _tcp = sandbox.listener("127.0.0.1", ports.at(0));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(1));
    let answer = both(&sandbox, &format!("reserve --range {ports}"));
    assert_eq!(
        (&answer["port"], &answer["protocol"], &answer["protocols"]),
        (&json!(ports.at(2)), &json!("tcp"), &json!(["tcp", "udp"])),
        "{answer}"
    );
    assert_eq!(protocols(&sandbox), both_of(&[ports.at(2)]));
    for (index, protocol) in [(0, "tcp"), (1, "udp")] {
        let reserve = sandbox.portkeeper(format!("reserve --port {} --protocol udp,TCP", ports.at(index)));
        reserve.refused(1).says(format!("is not free for {protocol}: stand-in"));
    }
    // Each half is in the way of the other's users.
    for protocol in ["tcp", "udp"] {
        let reserve = sandbox.portkeeper(format!("reserve --port {} --protocol {protocol}", ports.at(2)));
        reserve.refused(1).says("not free");
    }
    assert_eq!(protocols(&sandbox), both_of(&[ports.at(2)]), "nothing is left of what was refused");
    let _ = sandbox.portkeeper(format!("release {}", ports.at(2))).ok();
    assert!(sandbox.reserved().is_empty(), "both end together");
}

#[test]
fn what_is_reserved_for_one_protocol_is_in_the_way_of_both() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {} --protocol udp --owner dns", ports.first())).ok();
    let refused = sandbox.portkeeper(format!("reserve --port {} --protocol tcp,udp", ports.first())).refused(1);
    refused.says("is not free for udp: reserved for dns");
    assert_eq!(both(&sandbox, &format!("reserve --range {ports}"))["port"], ports.at(1));
    sandbox.portkeeper(format!("reserve --range {ports} --protocol tcp,udp")).refused(1).says("for both tcp and udp");
}

#[test]
fn several_ports_are_reserved_for_both_protocols() {
    let (sandbox, ports) = (sandbox(), Ports::take(4));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(1));
    let answer = both(&sandbox, &format!("reserve --range {ports} --count 3"));
    let chosen = [ports.at(0), ports.at(2), ports.at(3)];
    let ports: Vec<_> = answer.as_array().unwrap().iter().map(|one| one["port"].clone()).collect();
    assert_eq!(json!(ports), json!(chosen), "an entry for each port, whatever its protocols");
    assert_eq!(protocols(&sandbox), both_of(&chosen));
}

#[test]
fn a_port_is_picked_for_both_protocols() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(0));
    let _ = sandbox.portkeeper(format!("reserve --port {} --protocol udp", ports.at(1))).ok();
    let pick = |words: &str| sandbox.portkeeper(format!("pick {words}"));
    assert_eq!(pick(&format!("{ports} --protocol tcp,udp")).ok().port(), ports.at(2));
    assert_eq!(pick(&format!("{ports} -n 3")).ok().ports(), ports.all(), "TCP is free on all of them");
    pick(&format!("{} --protocol tcp,udp", ports.first())).refused(1).says("is not free for udp: stand-in");
    pick(&format!("{ports} -n 2 --protocol tcp,udp")).refused(1).says("free for both tcp and udp");
    let why = pick(&format!("--why {} --protocol tcp,udp", ports.first())).exits(1);
    assert!(why.stdout.contains("udp: stand-in"), "{}", why.stdout);
    assert_eq!(pick("-n 3 --protocol tcp,udp").ok().ports().len(), 3, "the policy has good ports for both");
}

#[test]
fn a_name_has_one_number_for_both_protocols() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let port = |words: &str| sandbox.portkeeper(format!("port --global dns {words}")).ok();
    let outcome = port(&format!("--range {ports} --protocol tcp,udp"));
    assert_eq!(outcome.stdout, format!("{}\n", ports.first()), "one line");
    for words in ["", "--protocol udp,tcp"] {
        assert_eq!(port(words).port(), ports.first(), "{words}");
        assert_eq!(protocols(&sandbox), both_of(&[ports.first()]), "{words}");
    }
    let names = sandbox.portkeeper("list --global --json").ok().json();
    assert_eq!(names.as_array().unwrap().len(), 1, "{names}");
    assert_eq!(names[0]["protocols"], json!(["tcp", "udp"]));
    assert_eq!(sandbox.portkeeper("list --global").ok().stdout, format!("dns: {}\n", ports.first()));
    let moved = port("--move").port();
    assert_ne!(moved, ports.first());
    assert_eq!(protocols(&sandbox), both_of(&[moved]), "both move");
    let _ = sandbox.portkeeper("release --global dns").ok();
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn a_name_keeps_its_number_when_its_protocols_change() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let port = |words: &str| sandbox.portkeeper(format!("port --global dns --range {ports} {words}")).ok();
    assert_eq!(port("").port(), ports.first());
    assert_eq!(port("--protocol tcp,udp").port(), ports.first(), "UDP comes to it");
    assert_eq!(protocols(&sandbox), both_of(&[ports.first()]));
    let narrowed = port("--protocol udp");
    assert_eq!(narrowed.port(), ports.first());
    narrowed.says(format!("dns has {} for udp now, and no longer for tcp", ports.first()));
    assert_eq!(protocols(&sandbox), [(u64::from(ports.first()), "udp".to_owned())]);
    // Where the other protocol of the number cannot be had, both are another number.
    let _tcp = sandbox.listener("127.0.0.1", ports.first());
    let moved = port("--protocol tcp,udp");
    assert_eq!(moved.port(), ports.at(1));
    moved.says(format!("dns moved from {} to {}", ports.first(), ports.at(1)));
    assert_eq!(protocols(&sandbox), both_of(&[ports.at(1)]));
}

#[test]
fn both_protocols_are_held_by_one_holder() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(0));
    let answer = both(&sandbox, &format!("reserve --hold --range {ports}"));
    assert_eq!(
        (&answer["port"], &answer["held"], &answer["guarantee"]),
        (&json!(ports.at(1)), &json!(true), &json!("exclusive")),
        "{answer}"
    );
    let holder = HolderProcess::of(&answer);
    assert_eq!(bindable(ports.at(1)), (false, false));
    assert!(TcpListener::bind(("127.0.0.1", ports.at(0))).is_ok(), "what was tried on the way is let go");
    let holders: Vec<_> = sandbox.status().iter().map(|entry| entry["holder"].clone()).collect();
    assert_eq!(holders, [json!(holder.pid()), json!(holder.pid())]);
    sandbox.portkeeper("reserve --hold=soft --protocol tcp,udp").refused(2).says("--hold=exclusive");
    let _ = sandbox.portkeeper(format!("release {}", ports.at(1))).ok();
    holder.ends();
    assert_eq!(bindable(ports.at(1)), (true, true));
}

#[test]
fn the_hold_of_a_protocol_that_a_name_gives_up_ends() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let port = |words: &str| sandbox.portkeeper(format!("port --global dns --hold --range {ports} {words}")).ok();
    assert_eq!(port("--protocol tcp,udp").port(), ports.first());
    assert_eq!(port("--protocol tcp,udp").port(), ports.first(), "asked for again");
    assert_eq!(bindable(ports.first()), (false, false));
    assert_eq!(port("--protocol tcp").port(), ports.first());
    assert_eq!(bindable(ports.first()), (false, true));
    assert_eq!(protocols(&sandbox).len(), 1, "and the hold file does not bring it back");
    assert_eq!(port("--protocol tcp,udp").port(), ports.first());
    assert_eq!(bindable(ports.first()), (false, false));
}

#[test]
fn a_lost_registry_gets_both_protocols_of_a_name_back() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("port --global dns --hold --port {} --protocol tcp,udp", ports.first());
    let _ = sandbox.portkeeper(words).ok();
    let before = sandbox.status();
    for file in [sandbox.registry(), sandbox.registry().with_extension("json.prev")] {
        let _ = std::fs::remove_file(file);
    }
    let kept = |status: &[Value]| -> Vec<Value> {
        let view = |one: &Value| json!([one["port"], one["protocol"], one["name"], one["lease"]["kind"]]);
        status.iter().map(view).collect()
    };
    assert_eq!(kept(&sandbox.status()), kept(&before), "both are the name's");
}

#[test]
fn a_ttl_for_both_protocols_is_renewed_for_both() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("reserve --port {} --ttl 1h --owner game", ports.first());
    let _ = both(&sandbox, &words);
    let again = both(&sandbox, &words);
    assert_eq!(again["protocols"], json!(["tcp", "udp"]));
    assert_eq!(protocols(&sandbox), both_of(&[ports.first()]), "renewed, not added");
}

/// Binds TCP and UDP of the port in the environment, and prints the port.
const SERVER: &str = "
import os, socket
port = int(os.environ['PORT'])
tcp = socket.socket(); tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); tcp.bind(('127.0.0.1', port)); tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', port))
socket.create_connection(('127.0.0.1', port)).close()
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))
udp.settimeout(30); udp.recv(1)
print(port)
";

#[test]
fn a_server_under_run_gets_both_protocols() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let _ = sandbox.portkeeper(format!("port --global dns --port {port} --protocol tcp,udp")).ok();
    for words in [format!("--port {port} --global game --protocol tcp,udp"), "--global dns".to_owned()] {
        let _ = sandbox.portkeeper("release --global dns --if-exists").ok();
        if words.ends_with("dns") {
            let _ = sandbox.portkeeper("release --global game").ok();
            let _ = sandbox.portkeeper(format!("port --global dns --port {port} --protocol tcp,udp")).ok();
        }
        let run = sandbox.portkeeper(format!("run {words} --report report.json -- python3 -c")).arg(SERVER).ok();
        assert_eq!(run.stdout, format!("{port}\n"), "{words}: {}", run.stderr);
        let report: Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
        let ports = report["ports"].as_array().unwrap();
        let view: Vec<_> = ports.iter().map(|one| json!([one["port"], one["protocol"]])).collect();
        assert_eq!(json!(view), json!([[port, "tcp"], [port, "udp"]]), "{report}");
    }
}

#[test]
fn both_protocols_are_kept_while_a_command_runs_and_given_back_after_it() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!("{} status --json", sandbox.portkeeper_path());
    let words = format!("run --port {} --protocol tcp,udp -- sh -c", ports.first());
    let status = sandbox.portkeeper(words).arg(script).ok().json();
    let kinds: Vec<_> = status.as_array().unwrap().iter().map(|one| json!([one["protocol"], one["held"]])).collect();
    assert_eq!(json!(kinds), json!([["tcp", true], ["udp", true]]), "{status}");
    assert!(sandbox.reserved().is_empty());
}

#[test]
fn run_takes_both_protocols_over_from_their_holder() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    for words in ["", "--protocol tcp,udp"] {
        let holder = HolderProcess::of(&both(&sandbox, &format!("reserve --hold --port {port}")));
        let run = sandbox.portkeeper(format!("run --port {port} {words} -- python3 -c")).arg(SERVER).ok();
        assert_eq!(run.stdout, format!("{port}\n"), "{words}: {}", run.stderr);
        holder.ends();
        assert!(sandbox.reserved().is_empty());
    }
    let held = sandbox.portkeeper(format!("reserve --hold --port {port}")).ok().json();
    let refused = sandbox.portkeeper(format!("run --port {port} --protocol tcp,udp -- true")).run();
    refused.expect_code(125).says(format!("port {port} is held for tcp alone"));
    assert!(HolderProcess::of(&held).runs());
}

#[test]
fn what_cannot_be_handed_over_for_udp_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let (outer, inner) = (ports.at(0), ports.at(1));
    // Within another run the server cannot be watched: it is let in through a gate, and UDP has none.
    let nested = format!("portkeeper run --port {outer} -- portkeeper run --port {inner} --protocol tcp,udp -- true");
    let run = sandbox.shell(&nested).ok();
    run.says(format!("{inner} (udp): a UDP port has no gate")).says("let go");
}

#[test]
fn a_config_reserves_both_protocols_and_docker_compose_publishes_both() {
    let (sandbox, ports) = (sandbox(), Ports::take(3));
    let _udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(0));
    let config = |protocol: &str| {
        sandbox.write(
            "pk.config.json",
            json!({
                "ports": [
                    { "key": "DNS_PORT", "range": [ports.first(), ports.last()], "protocol": protocol },
                    { "key": "WEB_PORT", "range": [ports.first(), ports.last()] },
                ],
                "outputs": [
                    { "type": "env", "path": ".env" },
                    { "type": "docker-compose", "services": { "dns": { "DNS_PORT": 53 }, "web": { "WEB_PORT": 80 } } },
                ],
            })
            .to_string(),
        )
    };
    let _ = config("tcp,udp");
    let answer = sandbox.portkeeper("prepare").ok().json();
    let dns = ports.at(1);
    assert_eq!(answer["reserved"], json!({ "DNS_PORT": dns, "WEB_PORT": ports.at(0) }));
    assert_eq!(sandbox.read(".env").matches("DNS_PORT").count(), 1);
    let compose = sandbox.read("compose.override.yaml");
    for line in [format!("\"127.0.0.1:{dns}:53\""), format!("\"127.0.0.1:{dns}:53/udp\"")] {
        assert!(compose.contains(&line), "{compose}");
    }
    assert_eq!(sandbox.status().len(), 3);
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["outputs"][0]["status"], "unchanged");
    // One protocol less, and the port stays.
    let _ = config("TCP");
    for words in ["--check", "--dry-run", "--diff"] {
        let outcome = sandbox.portkeeper(format!("prepare {words}")).run();
        outcome.says(format!("DNS_PORT would have {dns} for tcp, and no longer for udp"));
    }
    sandbox.portkeeper("prepare --check").exits(1).says("out of date: DNS_PORT");
    assert_eq!(sandbox.status().len(), 3, "nothing has changed");
    assert_eq!(sandbox.portkeeper("prepare").ok().json()["reserved"]["DNS_PORT"], dns);
    assert_eq!(sandbox.status().len(), 2);
    assert!(!sandbox.read("compose.override.yaml").contains("/udp"));
}

#[test]
fn a_config_holds_both_protocols_and_run_hands_them_over() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let entry = |hold: &str| json!({ "ports": [{ "key": "PORT", "preferred": ports.first(), "protocol": "udp,tcp", "hold": hold }] });
    let _ = sandbox.write("pk.config.json", entry("gated").to_string());
    sandbox.portkeeper("prepare").refused(2).says("ports[0].hold");
    let _ = sandbox.write("pk.config.json", entry("exclusive").to_string());
    let answer = sandbox.portkeeper("prepare").ok().json();
    assert_eq!(answer["guarantees"], json!({ "PORT": "exclusive" }));
    assert_eq!(bindable(ports.first()), (false, false));
    let run = sandbox.portkeeper("run -c pk.config.json -- python3 -c").arg(SERVER).ok();
    assert_eq!(run.stdout, format!("{}\n", ports.first()));
}

#[test]
fn a_prepare_that_fails_leaves_both_protocols_as_they_were() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = |protocol: &str, map: Value| {
        let port = json!({ "key": "DNS_PORT", "preferred": ports.first(), "protocol": protocol });
        let output = json!({ "type": "env", "map": map });
        sandbox.write("pk.config.json", json!({ "ports": [port], "outputs": [output] }).to_string())
    };
    let _ = config("tcp,udp", json!({ "A": "${NOWHERE}" }));
    let _ = sandbox.portkeeper("prepare").refused(2);
    assert!(sandbox.reserved().is_empty());
    let _ = config("tcp,udp", json!({ "A": "${DNS_PORT}" }));
    let _ = sandbox.portkeeper("prepare").ok();
    let _ = config("udp", json!({ "A": "${NOWHERE}" }));
    let _ = sandbox.portkeeper("prepare").refused(2);
    assert_eq!(protocols(&sandbox), both_of(&[ports.first()]), "what it gave up is given back");
}

#[test]
fn a_prepare_that_fails_keeps_the_holds_of_both_protocols() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let prepare = |protocol: &str, value: &str| {
        let port = json!({ "key": "DNS_PORT", "preferred": ports.first(), "protocol": protocol, "hold": "exclusive" });
        let output = json!({ "type": "env", "map": { "A": value } });
        let _ = sandbox.write("pk.config.json", json!({ "ports": [port], "outputs": [output] }).to_string());
        sandbox.portkeeper("prepare")
    };
    let _ = prepare("tcp,udp", "${DNS_PORT}").ok();
    let before = sandbox.status();
    let _ = prepare("tcp", "${NOWHERE}").refused(2);
    assert_eq!(bindable(ports.first()), (false, false), "nothing has let go");
    let view = |status: &[Value]| -> Vec<Value> {
        status.iter().map(|one| json!([one["protocol"], one["held"], one["holder"]])).collect()
    };
    assert_eq!(view(&sandbox.status()), view(&before));
    let _ = prepare("tcp", "${DNS_PORT}").ok();
    assert_eq!(bindable(ports.first()), (false, true), "what succeeds lets go");
}

#[test]
fn a_protocol_is_given_up_only_with_an_answer() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = both(&sandbox, &format!("reserve --global dns --hold --port {}", ports.first()));
    for (command, output) in [("port", ">&-"), ("port", "> /dev/full"), ("reserve --foreground --hold", "> /dev/full")]
    {
        let failed = sandbox.shell(&format!("portkeeper {command} --global dns --protocol tcp {output}")).exits(3);
        failed.says("nothing is given up");
        assert_eq!(protocols(&sandbox), both_of(&[ports.first()]), "{command} {output}");
        assert_eq!(bindable(ports.first()), (false, false), "{command} {output}");
    }
}

/// A global name with one port for both protocols, of which TCP is held and UDP is another program's.
fn half_held(sandbox: &Sandbox, ports: &Ports, name: &str) -> (StandIn, HolderProcess) {
    let _ = both(sandbox, &format!("port --global {name} --port {}", ports.first()));
    let udp = sandbox.stand_in("udp", "127.0.0.1", ports.first());
    let _ = sandbox.portkeeper(format!("port --global {name} --hold")).ok();
    let status = sandbox.status();
    let tcp = status.iter().find(|one| one["name"] == name && one["protocol"] == "tcp");
    (udp, HolderProcess::of(tcp.unwrap()))
}

#[test]
fn what_cannot_be_held_is_said() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("port --global web --port {}", ports.at(0))).ok();
    let server = sandbox.listener("127.0.0.1", ports.at(0));
    let held = sandbox.portkeeper("port --global web --hold").ok();
    held.says(format!("web keeps {}, but it cannot be held now: stand-in (pid {})", ports.at(0), server.pid()));
    let _ = both(&sandbox, &format!("reserve --global dns --port {}", ports.at(1)));
    let udp = sandbox.stand_in("udp", "127.0.0.1", ports.at(1));
    let half = sandbox.portkeeper("port --global dns --hold").ok();
    half.says(format!("dns keeps {}, but it cannot be held for udp now: stand-in (pid {})", ports.at(1), udp.pid()));
    half.says(format!("holds {} (tcp): `portkeeper release {}`", ports.at(1), ports.at(1)));
    assert!(!half.stderr.contains("hands it to a server"), "{}", half.stderr);
    assert!(!sandbox.portkeeper("port --global dns").ok().stderr.contains("cannot be held"), "none was asked for");
}

#[test]
fn a_name_with_udp_is_held_in_no_other_way() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = both(&sandbox, &format!("port --global dns --port {}", ports.first()));
    for kind in ["soft", "gated"] {
        let refused = sandbox.portkeeper(format!("port --global dns --hold={kind}")).refused(2);
        refused.says(format!("UDP ports cannot be held in the way `{kind}`: use --hold=exclusive"));
    }
    assert!(sandbox.status().iter().all(|one| one["held"] == false));
    let _ = sandbox.portkeeper("port --global dns --hold=soft --protocol tcp").ok();
    assert_eq!(sandbox.status()[0]["guarantee"], "soft", "what is asked for counts, not what the name had");
}

#[test]
fn a_run_that_fails_leaves_the_holds_that_it_would_have_taken_over() {
    let (sandbox, ports, others) = (sandbox(), Ports::take(1), Ports::take(2));
    let (_udp, holder) = half_held(&sandbox, &ports, "dns");
    sandbox.portkeeper("run --global dns -- true").refused(125).says("is in use: stand-in");
    // Nor does a port of another name end the hold of one that came before it; be it for as long as the holder lives.
    let _ = sandbox.portkeeper(format!("reserve --global a --hold --port {}", others.at(0))).ok();
    let _ = sandbox.portkeeper(format!("reserve --global b --port {}", others.at(1))).ok();
    let _tcp = sandbox.listener("127.0.0.1", others.at(1));
    sandbox.portkeeper("run --global a b -- true").refused(125).says("of b is in use: stand-in");
    assert!(holder.runs());
    assert_eq!((bindable(ports.first()).0, bindable(others.at(0)).0), (false, false));
    let held = |port: u16| sandbox.status().iter().find(|one| one["port"] == port).unwrap()["held"].clone();
    assert_eq!((held(ports.first()), held(others.at(0))), (json!(true), json!(true)));
}

#[test]
fn a_run_for_one_protocol_ends_the_hold_of_the_other() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = both(&sandbox, &format!("reserve --global dns --hold --port {}", ports.first()));
    let _ = sandbox.portkeeper("run --global dns --protocol tcp -- true").ok();
    assert_eq!(bindable(ports.first()), (true, true));
    let _ = both(&sandbox, "reserve --global dns --hold");
    let failed = sandbox.portkeeper("run --global dns --protocol tcp -- ./nothing-{PORT}").run();
    let _ = failed.expect_code(127);
    assert_eq!(protocols(&sandbox), both_of(&[ports.first()]), "what was given up is given back");
    assert_eq!(bindable(ports.first()), (true, true));
    assert!(sandbox.status().iter().all(|one| one["held"] == false), "and the truth is said of its hold");
}

#[test]
fn explain_speaks_of_both_protocols() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let _ = sandbox.portkeeper(format!("port --global dns --port {port} --protocol tcp,udp")).ok();
    let explained = sandbox.portkeeper(format!("explain {port} --format table")).ok().stdout;
    assert!(explained.contains(&format!("{port} (tcp and udp) is reserved for dns")), "{explained}");
    let _udp = sandbox.program(sandbox.stand_in_path()).words(&format!("as 65534 udp 127.0.0.1:{port}")).start();
    let explained = || sandbox.portkeeper(format!("explain {port} --json")).ok().json();
    let claims: Vec<_> =
        explained()["reservations"].as_array().unwrap().iter().map(|one| one["protocol"].clone()).collect();
    assert_eq!(claims, [json!("tcp"), json!("udp")]);
}

#[test]
fn a_port_of_this_project_is_offered_once() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("port dns --project . --port {} --protocol tcp,udp", ports.at(0))).ok();
    let explained = sandbox.portkeeper(format!("explain {} --json", ports.at(1))).ok().json();
    assert_eq!(explained["yours"], json!([{ "port": ports.at(0), "name": "dns" }]));
}

#[test]
fn protocols_that_make_no_sense_are_refused() {
    let sandbox = sandbox();
    for (words, needle) in [
        ("tcp,icmp", "use tcp, udp, or tcp,udp"),
        ("tcp,", "use tcp, udp, or tcp,udp"),
        ("udp,tcp,udp", "udp is given twice"),
    ] {
        sandbox.portkeeper(format!("reserve --protocol {words}")).refused(2).says(needle);
        let _ = sandbox.write("pk.config.yaml", format!("ports:\n  - key: A\n    protocol: '{words}'\n"));
        sandbox.portkeeper("prepare").refused(2).says("ports[0].protocol").says(needle);
    }
}

#[test]
fn shells_complete_both_protocols() {
    for shell in ["bash", "zsh", "fish"] {
        let script = sandbox().portkeeper(format!("completions {shell}")).ok().stdout;
        assert!(script.contains("tcp,udp"), "{shell}");
    }
}

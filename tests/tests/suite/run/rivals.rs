//! While a server starts, runs, is killed and starts again, nobody else gets its port.

use portkeeper_tests::{Loop, Ports, Sandbox, Server, ask, tell};
use rustix::process::Signal;

use super::{address, restarting};
use crate::sandbox;

const RESTARTS: usize = 10;

/// Rivals of both kinds on the addresses, from before the server starts.
fn rivals(ports: &Ports, ips: &[&str]) -> Vec<(String, Loop)> {
    let both = ips.iter().flat_map(|&ip| [false, true].map(|reuse_address| (ip, reuse_address)));
    both.map(|(ip, reuse_address)| {
        let name = format!("{ip}{}", if reuse_address { " with SO_REUSEADDR" } else { "" });
        (name, Loop::of_rivals(address(ip, ports), reuse_address))
    })
    .collect()
}

#[track_caller]
fn assert_nobody_won(how: &str, rivals: Vec<(String, Loop)>) {
    let mut tries = 0;
    for (name, rival) in rivals {
        let counts = rival.stop();
        tries += counts.tries;
        assert!(counts.tries > 100, "{how}: the rival on {name} hardly tried: {counts:?}");
        assert_eq!(counts.successes, 0, "{how}: the rival on {name}");
    }
    tell(format_args!("{how}: rivals tried to bind {tries} times and won 0 times"));
}

/// Clients that never stop, from before the server starts until after its last restart: none of them may be refused.
#[track_caller]
fn assert_nobody_refused(how: &str, clients: Loop) {
    let counts = clients.stop();
    let refused = counts.tries - counts.successes;
    tell(format_args!("{how}: a client connected {} times and was refused {refused} times", counts.tries));
    assert!(counts.tries > 100, "{how}: the client hardly tried: {counts:?}");
    assert_eq!(refused, 0, "{how}: clients");
}

/// A server that is told its address, through ten restarts, under load.
#[test]
fn adopted_it_is_never_free_and_no_client_is_refused() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --handover adopt", ports.first());
    let server = Server::prepare(&sandbox, &words, &restarting(&sandbox, "127.0.0.1"));
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rivals = rivals(&ports, &["127.0.0.1", "::1", "0.0.0.0", "::"]);
    server.go();
    server.restart(RESTARTS);
    assert_eq!(server.report()["guarantee"], "exclusive");
    assert_nobody_refused("adopt", clients);
    assert_nobody_won("adopt", rivals);
    let pid: u32 = ask(address("127.0.0.1", &ports)).unwrap().trim().parse().unwrap();
    assert_eq!(pid, server.server());
    assert!(!server.stop(Signal::TERM).success());
}

/// A server that takes all addresses, which is more than the reservation has.
#[test]
fn through_the_gate_it_is_never_free_for_others() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    for (handover, ip) in [("gated", "127.0.0.1"), ("gated", "0.0.0.0"), ("auto", "0.0.0.0"), ("auto", "[::]")] {
        let words = format!("--port {} --handover {handover}", ports.first());
        let server = Server::prepare(&sandbox, &words, &restarting(&sandbox, ip));
        let clients = Loop::of_clients(address("127.0.0.1", &ports));
        let rivals = rivals(&ports, &["127.0.0.1", "::1", "0.0.0.0", "::"]);
        server.go();
        server.restart(RESTARTS);
        let served = clients.stop();
        assert!(served.successes > 100, "{served:?}");
        assert_nobody_won(&format!("{handover} on {ip}"), rivals);
        assert_eq!(server.report()["guarantee"], "gated");
        ask(address("127.0.0.1", &ports)).unwrap();
        let _ = server.stop(Signal::TERM);
    }
}

/// A server that is passed its socket: its own restarts are its business, because the socket stays.
#[test]
fn passed_it_is_never_free_and_no_client_is_refused() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --handover fds", ports.first());
    // Each of the servers is the process that the sockets are meant for only if it is told so.
    let script = format!("until sh -c 'LISTEN_PID=$$ exec {} fds'; do :; done", sandbox.stand_in_path());
    let server = Server::prepare(&sandbox, &words, &script);
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rivals = rivals(&ports, &["127.0.0.1", "::1", "0.0.0.0", "::"]);
    server.go();
    let served_by = || -> u32 { ask(address("127.0.0.1", &ports)).unwrap().trim().parse().unwrap() };
    for _ in 0..RESTARTS {
        portkeeper_tests::HolderProcess::with_pid(served_by()).unwrap().kill();
    }
    served_by();
    assert_eq!(server.report()["guarantee"], "exclusive");
    assert_nobody_refused("fds", clients);
    assert_nobody_won("fds", rivals);
}

/// What a `reserve --hold` keeps stays kept when `run` takes it over.
#[test]
fn a_hold_is_taken_over_without_a_gap() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    let rivals = rivals(&ports, &["127.0.0.1", "::1", "0.0.0.0", "::"]);
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), &restarting(&sandbox, "127.0.0.1"));
    server.go();
    server.restart(1);
    assert_nobody_won("a hold, taken over", rivals);
    let status = sandbox.status();
    assert_eq!((status.len(), &status[0]["lease"]["kind"]), (1, &serde_json::json!("process")));
    let _ = server.stop(Signal::TERM);
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
    assert_is_free(&sandbox, &ports);
}

#[track_caller]
fn assert_is_free(sandbox: &Sandbox, ports: &Ports) {
    let _ = sandbox.portkeeper(format!("reserve --port {} --grace 0s", ports.first())).ok();
}

/// Fault 22: `run` released the port before exec, and whoever was faster had it.
#[test]
fn f22_the_port_is_not_let_go_before_the_server_starts() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), &restarting(&sandbox, "127.0.0.1"));
    let rivals = rivals(&ports, &["127.0.0.1"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    server.go();
    let _ = server.server();
    assert_nobody_won("between reservation and server", rivals);
}

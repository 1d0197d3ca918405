//! While a server starts, runs, is killed and starts again, no other process gets its port.

use std::net::TcpStream;

use portkeeper_tests::{HolderProcess, Loop, Ports, Server, ask};
use rustix::process::Signal;

use super::{EVERYWHERE, address, assert_never_won, assert_no_client_refused, restarting, rival};
use crate::sandbox;

const RESTARTS: usize = 10;

/// A server that is given its address, through ten restarts, under load: clients are refused before its first bind, and never after.
#[test]
fn adopted_it_is_never_free_and_clients_are_refused_only_before_its_first_bind() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --handover adopt", ports.first());
    let server = Server::prepare(&sandbox, &words, &restarting(&sandbox, "127.0.0.1"));
    let rival = rival(&ports, &EVERYWHERE);
    for ip in ["127.0.0.1", "::1"] {
        assert!(TcpStream::connect(address(ip, &ports)).is_err(), "nothing listens before the command does");
    }
    server.go();
    let _ = server.ready();
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    server.restart(RESTARTS, Signal::KILL);
    assert_eq!(server.report()["guarantee"], "exclusive");
    assert_no_client_refused("adopt", clients);
    assert_never_won("adopt", rival);
    assert!(!server.stop(Signal::TERM).success());
}

/// The same with a queue from the beginning.
#[test]
fn with_an_early_queue_no_client_is_ever_refused() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let words = format!("--port {} --handover adopt --queue-early", ports.first());
    let server = Server::prepare(&sandbox, &words, &restarting(&sandbox, "127.0.0.1"));
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rival = rival(&ports, &EVERYWHERE);
    server.go();
    server.restart(RESTARTS, Signal::KILL);
    assert_eq!(server.report()["guarantee"], "exclusive");
    assert_no_client_refused("adopt", clients);
    assert_never_won("adopt", rival);
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
        let rival = rival(&ports, &EVERYWHERE);
        server.go();
        server.restart(RESTARTS, Signal::KILL);
        let served = clients.stop();
        assert!(served.successes > 100, "{served:?}");
        assert_never_won(&format!("{handover} on {ip}"), rival);
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
    // Each of the servers is the process that the sockets are meant for only if its environment says so.
    let script = format!("until sh -c 'LISTEN_PID=$$ exec {} fds'; do :; done", sandbox.stand_in_path());
    let server = Server::prepare(&sandbox, &words, &script);
    let clients = Loop::of_clients(address("127.0.0.1", &ports));
    let rival = rival(&ports, &EVERYWHERE);
    server.go();
    let served_by = || -> u32 { ask(address("127.0.0.1", &ports)).unwrap().trim().parse().unwrap() };
    for _ in 0..RESTARTS {
        HolderProcess::with_pid(served_by()).unwrap().kill();
    }
    served_by();
    assert_eq!(server.report()["guarantee"], "exclusive");
    assert_no_client_refused("fds", clients);
    assert_never_won("fds", rival);
}

/// What a `reserve --hold` keeps stays kept when `run` takes it over.
#[test]
fn a_hold_is_taken_over_without_a_gap() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let _ = sandbox.portkeeper(format!("reserve --hold --port {}", ports.first())).ok();
    let rival = rival(&ports, &EVERYWHERE);
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), &restarting(&sandbox, "127.0.0.1"));
    server.go();
    server.restart(1, Signal::KILL);
    assert_never_won("a hold, taken over", rival);
    let status = sandbox.status();
    assert_eq!((status.len(), &status[0]["lease"]["kind"]), (1, &serde_json::json!("process")));
    let _ = server.stop(Signal::TERM);
    assert_eq!(sandbox.reserved(), [0_u16; 0]);
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
}

/// Fault 22: `run` released the port before exec, and a faster process had it.
#[test]
fn f22_the_port_is_not_let_go_before_the_server_starts() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), &restarting(&sandbox, "127.0.0.1"));
    let rival = rival(&ports, &["127.0.0.1"]);
    std::thread::sleep(std::time::Duration::from_millis(200));
    server.go();
    let _ = server.server();
    assert_never_won("between reservation and server", rival);
}

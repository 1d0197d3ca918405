//! Servers that connect to their own port first, to see whether it is free.

use std::net::TcpStream;

use portkeeper_tests::{Ports, Server, ask, program_or_skip};
use rustix::process::Signal;
use serde_json::json;

use super::address;
use crate::sandbox;

/// Looks whether a server answers on the port, and stays connected for a moment before it says so.
const LOOK_FIRST: &str = "
import os, socket, sys, time
address = (os.environ['HOST'], int(os.environ['PORT']))
try:
    with socket.create_connection(address, 30):
        time.sleep(0.3)
    sys.exit('in use')
except ConnectionRefusedError:
    pass
server = socket.create_server(address)
while True:
    client, _ = server.accept()
    client.sendall(str(os.getpid()).encode())
    client.close()
";

#[test]
fn a_shell_that_looks_first_finds_the_port_free() {
    if program_or_skip("bash").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!(
        "if (exec 3<>/dev/tcp/127.0.0.1/$PORT) 2>/dev/null; then echo in use; exit 1; fi; exec {} serve 127.0.0.1:$PORT",
        sandbox.stand_in_path()
    );
    let run = sandbox.portkeeper(format!("run --port {} -- bash -c", ports.first())).arg(script);
    assert_eq!(run.ok().stdout, "ready 1\n");
}

#[test]
fn a_server_that_looks_first_is_adopted() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("server.py", LOOK_FIRST);
    let server = Server::start(&sandbox, &format!("--port {} -- python3 server.py", ports.first()));
    let report = server.ready();
    assert_eq!((&report["method"], &report["guarantee"]), (&json!("adopt"), &json!("exclusive")));
    assert_eq!(ask(address("127.0.0.1", &ports)).unwrap(), server.server().to_string());
}

/// While it starts again clients queue, and so does it: that is found out, and from then on it is refused as it would be.
#[test]
fn a_server_that_looks_first_starts_again_too() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    sandbox.write("server.py", LOOK_FIRST);
    let script = "while :; do python3 server.py; done";
    let server = Server::prepare(&sandbox, &format!("--port {}", ports.first()), script);
    server.go();
    server.restart(3, Signal::KILL);
    let notes = server.report()["notes"].to_string();
    assert_eq!(notes.matches("itself while it starts").count(), 1, "{notes}");
    assert_eq!(server.report()["guarantee"], "gated", "others are kept out still");
    let plain = std::net::TcpListener::bind(address("127.0.0.1", &ports));
    assert!(plain.is_err(), "the port is kept");
}

#[test]
fn clients_may_queue_early_if_that_is_asked_for() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = json!({
        "ports": [{ "key": "API", "preferred": ports.first() }],
        "outputs": [{ "type": "env" }],
        "queue_early": true,
    });
    sandbox.write("pk.config.json", config.to_string());
    for words in [format!("--queue-early --port {}", ports.first()), "-c pk.config.json".to_owned()] {
        let script = format!("exec {} serve 127.0.0.1:$PORT", sandbox.stand_in_path());
        let server = Server::prepare(&sandbox, &words, &script);
        let early = TcpStream::connect(address("127.0.0.1", &ports));
        assert!(early.is_ok(), "{words}: {early:?}");
        server.go();
        let _ = server.ready();
        let _ = server.stop(Signal::TERM);
    }
    sandbox.write("pk.config.json", config.to_string().replace("true", "\"yes\""));
    sandbox.portkeeper("prepare").refused(2).says("queue_early");
}

/// What looks into `/proc/net/tcp` finds the queue of a restart, takes its port for used, and does not come back.
#[test]
fn a_server_that_does_not_come_back_is_told_of_with_the_option_that_helps() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let script = format!(
        "{} serve 127.0.0.1:$PORT </dev/null; touch gone; until [ -e refused ]; do sleep 0.01; done",
        sandbox.stand_in_path()
    );
    let run = sandbox.portkeeper(format!("run --ready-timeout 300ms --port {} -- sh -c", ports.first())).arg(script);
    let mut running = run.start();
    let _ = running.error_line();
    while !sandbox.has("gone") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let warning = running.error_line();
    assert!(warning.contains("has not listened on") && warning.contains("--ready-timeout 0s"), "{warning}");
    assert!(TcpStream::connect(address("127.0.0.1", &ports)).is_err(), "clients wait no longer");
    sandbox.write("refused", "");
    running.finish().expect_code(0);
}

#[test]
fn no_waiting_is_no_warning() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let run = |timeout: &str| {
        let run = format!("run --queue-early --ready-timeout {timeout} --port {} -- sleep 1.2", ports.first());
        sandbox.portkeeper(run).ok()
    };
    run("0s").is_silent();
    run("100ms").says("leave out --queue-early");
}

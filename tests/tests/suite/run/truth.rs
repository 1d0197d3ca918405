//! What is said of a run is so: its status, its report, and the reasons in it.

use portkeeper_tests::{Ports, Server, ipv6_or_skip, program_or_skip};
use rustix::process::Signal;
use serde_json::json;

use super::restarting;
use crate::sandbox;

#[test]
fn a_port_that_was_let_go_is_not_called_held() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = Server::prepare(&sandbox, &format!("--handover release --port {}", ports.first()), "sleep 600");
    let status = sandbox.status();
    assert_eq!((&status[0]["held"], &status[0]["guarantee"]), (&json!(false), &json!("advisory")), "{status:?}");
    let explained = sandbox.portkeeper(format!("explain {} --json", ports.first())).ok().json();
    assert_eq!(explained["reservations"][0]["guarantee"], "advisory", "{explained}");
    assert_eq!(server.stop(Signal::TERM).code(), Some(128 + 15));
}

#[test]
fn a_report_says_why_a_server_only_got_through_the_gate() {
    if !ipv6_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let reason = |handover: &str, ip: &str| {
        let words = format!("--handover {handover} --port {}", ports.first());
        let server = Server::prepare(&sandbox, &words, &restarting(&sandbox, ip));
        server.go();
        let report = server.ready();
        let _ = server.stop(Signal::TERM);
        report["notes"].to_string()
    };
    assert!(reason("auto", "0.0.0.0").contains("it binds 0.0.0.0, not 127.0.0.1"), "another address");
    assert_eq!(reason("auto", "127.0.0.1"), "[]", "the best way");
    assert_eq!(reason("gated", "0.0.0.0"), "[]", "asked for");
}

#[test]
fn a_command_that_fails_without_a_bind_learns_of_daemons() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let port = ports.first();
    let run =
        |how: &str, command: &str| sandbox.portkeeper(format!("run {how} --port {port} -- sh -c")).arg(command).run();
    let says = format!("none of its processes had bound {port}");
    run("", "exit 3").says(&says).says("--handover release");
    run("", "exit 0").is_silent();
    let bound = format!("{} serve 127.0.0.1:{port} </dev/null; exit 3", sandbox.stand_in_path());
    assert!(!run("", &bound).stderr.contains(&says));
    assert!(!run("--handover release", "exit 3").stderr.contains(&says));
}

/// `sd_listen_fds(3)`: they are this process' own.
#[test]
fn sockets_of_systemd_are_not_handed_on() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let look = "env | grep ^LISTEN_; readlink /proc/self/fd/3";
    sandbox.write("look.sh", format!("{look}\n:"));
    let run = format!(
        "exec 3</dev/zero; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec portkeeper run --port {} -- sh look.sh",
        ports.first()
    );
    assert_eq!(sandbox.shell(&run).ok().stdout, "");
    let other = format!(
        "exec 3</dev/zero; LISTEN_PID=1 LISTEN_FDS=1 exec portkeeper run --port {} -- sh look.sh",
        ports.first()
    );
    assert_eq!(sandbox.shell(&other).ok().stdout, "/dev/zero\n", "the descriptor was not meant for us");
}

#[test]
fn sockets_for_a_shell_are_remarked_on() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let run = |script: &str| {
        sandbox.portkeeper(format!("run --handover fds --port {} -- sh -c", ports.first())).arg(script).ok()
    };
    run("sleep 2; :").says("the sockets are meant for sh (pid ").says("LISTEN_PID");
    assert!(!run("exec sleep 2").stderr.contains("LISTEN_PID"));
}

#[test]
fn a_port_in_use_comes_with_the_command_that_ends_its_server() {
    if program_or_skip("python3").is_none() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let config = json!({ "ports": [{ "key": "API", "preferred": ports.first() }], "outputs": [{ "type": "env" }] });
    sandbox.write("pk.config.json", config.to_string());
    let _ = sandbox.portkeeper("prepare").ok();
    let _listener = sandbox.listener("127.0.0.1", ports.first());
    sandbox.portkeeper("run -c pk.config.json -- true").refused(125).says("to end it: portkeeper kill");
}

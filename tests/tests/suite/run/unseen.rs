//! What cannot be seen is not assumed: servers that portkeeper may not look into.

use std::net::SocketAddr;

use portkeeper_tests::{Ports, Run, Sandbox, StandIn, ask, program_or_skip, skipped};
use serde_json::{Value, json};

use super::address;
use crate::sandbox;

/// Runs it, asks its server, and returns the report when there is one with a server.
#[track_caller]
fn served(sandbox: &Sandbox, run: &Run<'_>, address: SocketAddr) -> Value {
    let _running = StandIn::start(run.command());
    ask(address).expect("a server");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let report: Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
        if report["ports"][0]["server"].is_number() {
            return report;
        }
        assert!(std::time::Instant::now() < deadline, "{report}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[track_caller]
fn is_soft_because(report: &Value, why: &str) {
    assert_eq!((&report["method"], &report["guarantee"]), (&json!("gated"), &json!("soft")), "{report}");
    assert!(report["notes"].to_string().contains(why), "{report}");
}

fn root_or_skip() -> bool {
    let root = rustix::process::geteuid().is_root() && program_or_skip("setpriv").is_some();
    if !root {
        skipped("root", "only root can become another user");
    }
    root
}

const NOBODY: &str = "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all";

/// As in a container: root may do much, but not look into others' processes, and the server becomes another user.
#[test]
fn a_server_that_drops_its_privileges_binds_through_the_open_gate() {
    if !root_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let server = format!("{} serve 127.0.0.1:{}", sandbox.stand_in_path(), ports.first());
    for handover in ["auto", "gated"] {
        let run = sandbox.shell(&format!(
            "setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace \
             portkeeper run --handover {handover} --port {} --report report.json -- {NOBODY} {server}",
            ports.first()
        ));
        let report = served(&sandbox, &run, address("127.0.0.1", &ports));
        is_soft_because(&report, "--cap-add SYS_PTRACE");
        let status = sandbox.status();
        assert!(status.is_empty() || status[0]["guarantee"] != "gated", "{status:?}");
    }
}

/// Its program may be run by this user, and not read: then the kernel shows nothing of its process either.
#[test]
fn a_server_that_may_not_be_read_binds_through_the_open_gate() {
    if !root_or_skip() {
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let own = sandbox.root().to_owned();
    let _ = sandbox.program("chown").words("-R 65534:65534").arg(&own).ok();
    let copy = format!("cp {} server && chown 0:0 server && chmod 0711 server", sandbox.stand_in_path());
    let _ = sandbox.shell(&copy).ok();
    let port = ports.first();
    let run = |command: &str| {
        sandbox.shell(&format!("{NOBODY} portkeeper run --port {port} --report report.json -- {command}"))
    };
    let address = address("127.0.0.1", &ports);
    let direct = served(&sandbox, &run(&format!("./server serve 127.0.0.1:{port}")), address);
    is_soft_because(&direct, "server cannot be read by this user");
    let started = served(&sandbox, &run(&format!("sh -c './server serve 127.0.0.1:{port}; exit'")), address);
    is_soft_because(&started, "its program file is not readable");
}

/// The files under `/proc` are those of other processes then.
#[test]
fn a_proc_of_another_pid_namespace_is_not_believed() {
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    if !sandbox.program("unshare").words("--pid --fork true").run().status.success() {
        skipped("NETNS", "`unshare --pid` does not work here");
        return;
    }
    let port = ports.first();
    let run = sandbox.shell(&format!(
        "unshare --pid --fork --kill-child portkeeper run --port {port} --report report.json -- {} serve 127.0.0.1:{port}",
        sandbox.stand_in_path()
    ));
    let running = StandIn::start(run.command());
    ask(address("127.0.0.1", &ports)).unwrap();
    let report: Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
    is_soft_because(&report, "/proc shows another pid namespace");
    drop(running);

    // Nor is what runs there taken for something that the command has left.
    let run = format!("unshare --pid --fork --kill-child portkeeper run --port {} -- true", ports.at(1));
    let others = sandbox.shell(&run).ok();
    assert!(!others.stderr.contains("goes on"), "{others}");
}

/// As in a chroot that has none. A server that is passed its socket is not taken for gone because it cannot be seen.
#[test]
fn without_proc_a_server_binds_through_the_open_gate_or_keeps_what_it_was_passed() {
    let (sandbox, ports) = (sandbox(), Ports::take(1));
    let hidden = "unshare --mount sh -c 'mount -t tmpfs none /proc && exec \"$@\"' sh";
    if !sandbox.shell(&format!("{hidden} true")).run().status.success() {
        skipped("NETNS", "`unshare --mount` does not work here");
        return;
    }
    let (port, address) = (ports.first(), address("127.0.0.1", &ports));
    let run = |how: &str, server: &str| {
        sandbox.shell(&format!(
            "{hidden} portkeeper run {how} --port {port} --report report.json -- {} {server}",
            sandbox.stand_in_path()
        ))
    };
    let running = StandIn::start(run("", &format!("serve 127.0.0.1:{port}")).command());
    ask(address).unwrap();
    let report: Value = serde_json::from_str(&sandbox.read("report.json")).unwrap();
    is_soft_because(&report, "/proc is not mounted here");
    drop(running);

    // With a patience of nothing clients would be refused as soon as it is looked whether the server is there.
    let running = StandIn::start(run("--handover fds --ready-timeout 0s", "fds").command());
    let start = std::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_secs(2) {
        ask(address).expect("it has its socket still");
    }
    drop(running);
}

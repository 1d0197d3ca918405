//! What cannot be read is unknown, and proves nothing.

use portkeeper_tests::trace::{Action, Call, is_allowed, trace};
use portkeeper_tests::{Ports, skipped};

use crate::sandbox;

/// A sandbox that closes the kernel's socket tables, by netlink and in /proc.
fn without_tables(call: &Call) -> Action {
    let netlink = call.name == "socket" && call.argument(0) == u64::from(libc::AF_NETLINK.unsigned_abs());
    let in_proc = call.paths().iter().any(|path| path.to_string_lossy().contains("/net/"));
    if netlink || in_proc { Action::Fail(libc::EACCES) } else { Action::Go }
}

#[test]
fn without_socket_tables_no_port_is_called_unused() {
    if !is_allowed() {
        skipped("PTRACE", "this process may not trace others");
        return;
    }
    let (sandbox, ports) = (sandbox(), Ports::take(2));
    let port = ports.first();
    let ask = |words: &str| trace(&sandbox.portkeeper(words), without_tables).outcome;
    let explained = ask(&format!("explain {port} --json"));
    let answer = explained.expect_code(0).json();
    assert_eq!(answer["verdict"], "unknown", "{explained}");
    assert_eq!(
        answer["summary"],
        format!("what is using {port} is unknown: the kernel's socket tables cannot be read")
    );
    let kill = ask(&format!("kill {port} --yes"));
    kill.expect_code(3).says("the kernel's socket tables cannot be read").says("portkeeper doctor");
    let _ = sandbox.portkeeper(format!("reserve --port {port} --ttl 1h --owner me")).ok();
    let explained = ask(&format!("explain {port} --json"));
    assert_eq!(
        explained.json()["summary"],
        format!(
            "{port} is reserved for owner me, and what is using it is unknown: the kernel's socket tables cannot be read"
        )
    );
}

#[test]
fn a_worktree_whose_mark_cannot_be_looked_at_is_not_left() {
    if !is_allowed() {
        skipped("PTRACE", "this process may not trace others");
        return;
    }
    let sandbox = sandbox();
    sandbox.write("pk.config.json", r#"{"ports": ["ABOVE"]}"#);
    let inner = sandbox.directory("inner/.git").parent().unwrap().to_owned();
    let fail = |call: &Call| {
        let is_mark = call.name != "mkdir" && call.paths().iter().any(|path| path.ends_with("inner/.git"));
        if is_mark { Action::Fail(libc::EIO) } else { Action::Go }
    };
    for (words, code) in [("prepare", 3), ("port web", 3), ("run web -- true", 125)] {
        let traced = trace(&sandbox.portkeeper(words).within(&inner), fail).outcome;
        traced.expect_code(code).says("inner/.git: cannot be looked at: input/output error");
    }
    assert!(sandbox.reserved().is_empty());
}

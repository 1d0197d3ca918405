//! Bad usage: one clear message, the exit code of the documentation, nothing written, nothing lost.

use std::time::{Duration, Instant};

use portkeeper_tests::{Namespace, Own, Ports, Sandbox};

use crate::sandbox;

/// A registry with one reservation in it.
fn used_sandbox() -> Sandbox {
    let sandbox = sandbox();
    let _ = sandbox.portkeeper("reserve --owner before --ttl 1h").ok();
    sandbox
}

/// Each command line is refused with the code and a message that holds the text; nothing changes.
#[track_caller]
fn assert_refused(code: i32, table: &[(&str, &str)]) {
    let sandbox = used_sandbox();
    let before = sandbox.everything();
    for (words, needle) in table {
        sandbox.portkeeper(words).refused(code).says(needle);
        before.assert_unchanged(words);
    }
}

#[test]
fn ports_that_are_none() {
    assert_refused(
        2,
        &[
            ("reserve --port 0", "1 to 65535"),
            ("reserve --port 70000", "1 to 65535"),
            ("reserve --preferred 70000", "70000"),
            ("reserve --preferred 0", "--preferred"),
            ("reserve --port -1", "-1"),
            ("reserve --port http", "http"),
            ("port --port 65536", "65536"),
            ("release 0", "1 to 65535"),
            ("release 99999999999999999999", "99999999999999999999"),
        ],
    );
}

#[test]
fn ranges_that_are_none() {
    assert_refused(
        2,
        &[
            ("reserve --range 9000-8000", "8000-9000"),
            ("reserve --range 9000 8000", "8000-9000"),
            ("reserve --range 8000-", "--range"),
            ("reserve --range -", "--range"),
            ("reserve --range 8000", "--range"),
            ("reserve --range a-b", "a"),
            ("reserve --range 0-10", "1 to 65535"),
            ("reserve --range 8000-70000", "70000"),
            ("reserve --range 8000 many", "is not a range of ports"),
            ("reserve --range", "--range"),
        ],
    );
}

#[test]
fn flags_that_make_no_sense() {
    assert_refused(
        2,
        &[
            ("reserve --count 0", "--count"),
            ("reserve --count -3", "-3"),
            ("reserve --count 2 --port 8000", "--port"),
            ("reserve --port 8000 --range 8000-9000", "--range"),
            ("reserve --port 8000 --preferred 8000", "--preferred"),
            ("reserve --ttl -5s", "-5"),
            ("reserve --ttl soon", "soon"),
            ("reserve --ttl 1h --grace 5s", "--grace"),
            ("reserve --ttl 1h --for-pid 1", "--for-pid"),
            ("reserve --grace -1s", "-1"),
            ("reserve --for-pid me", "me"),
            ("reserve --protocol icmp", "tcp"),
            ("reserve --profile backend", "frontend"),
            ("reserve --prefered 8000", "--preferred"),
            ("reserve 8000", "8000"),
            ("release", "PORT"),
            ("release --all 8000", "--all"),
            ("release --all --owner me", "--owner"),
            ("status --format xml", "table"),
            ("status --lock-timeout never", "--lock-timeout"),
            ("relese 8000", "release"),
            ("prepare --check --dry-run --config", "--config"),
        ],
    );
}

#[test]
fn a_command_is_needed() {
    let outcome = sandbox().portkeeper("").exits(2);
    outcome.says("Usage");
}

#[test]
fn keys_that_no_file_can_hold() {
    for key in ["BAD KEY=1", "BAD KEY", "A=1", "1ST", "", "A-B", "A\nB=1", "Ä"] {
        let sandbox = used_sandbox();
        let before = sandbox.everything();
        let outcome = sandbox.portkeeper("reserve").arg(format!("--write-env={key}")).refused(2);
        outcome.says("use letters, digits and `_`");
        before.assert_unchanged(key);
    }
}

#[test]
fn a_key_after_a_space_is_taken_only_when_it_is_one() {
    // `--write-env 'BAD KEY=1'` is no key, so it is a stray argument.
    let sandbox = used_sandbox();
    let before = sandbox.everything();
    sandbox.portkeeper("reserve --write-env").arg("BAD KEY=1").refused(2).says("BAD KEY=1");
    before.assert_unchanged("this");
}

#[test]
fn hosts_that_are_none() {
    assert_refused(
        2,
        &[
            ("reserve --host 127.0.0.300", "127.0.0.300"),
            ("reserve --host http://localhost", "http://localhost"),
            ("reserve --host 127.0.0.1:80", "127.0.0.1:80"),
            ("reserve --host a..b", "a..b"),
        ],
    );
}

#[test]
fn a_host_of_another_machine_is_refused() {
    // No machine has TEST-NET-1 (RFC 5737) and the documentation prefix (RFC 3849).
    assert_refused(2, &[("reserve --host 192.0.2.1", "192.0.2.1"), ("reserve --host 2001:db8::1", "2001:db8::1")]);
}

#[test]
fn an_unknown_host_is_refused_soon() {
    // In a network of its own, so that no resolver is asked.
    let Some(offline) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = used_sandbox();
    let before = sandbox.everything();
    let start = Instant::now();
    let outcome = sandbox.portkeeper("reserve --host name.invalid").inside(&offline).run();
    assert!(start.elapsed() < Duration::from_secs(15), "{outcome}");
    assert!(matches!(outcome.code(), Some(2 | 3)), "{outcome}");
    outcome.is_one_clear_error().says("name.invalid");
    before.assert_unchanged("this");
}

#[test]
fn a_range_that_is_used_up_is_answered_with_no() {
    let (sandbox, ports) = (used_sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner shop", ports.at(0))).ok();
    let _listener = sandbox.listener("127.0.0.1", ports.at(1));
    let before = sandbox.everything();
    sandbox.portkeeper(format!("reserve --range {ports}")).refused(1).says(ports.to_string());
    before.assert_unchanged("this");
}

#[test]
fn a_port_that_is_taken_is_answered_with_who_has_it() {
    let (sandbox, ports) = (used_sandbox(), Ports::take(2));
    let _ = sandbox.portkeeper(format!("reserve --port {} --owner shop", ports.at(0))).ok();
    sandbox.portkeeper(format!("reserve --port {}", ports.at(0))).refused(1).says("shop");
    let _listener = sandbox.listener("127.0.0.1", ports.at(1));
    sandbox.portkeeper(format!("reserve --port {}", ports.at(1))).refused(1).says("stand-in");
}

#[test]
fn arguments_that_are_not_text_are_refused() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = used_sandbox();
    let before = sandbox.everything();
    let latin1 = std::ffi::OsStr::from_bytes(b"M\xfcller");
    let _ = sandbox.portkeeper("reserve --owner").arg(latin1).refused(2);
    before.assert_unchanged("this");
}

#[test]
fn bad_values_in_the_environment_name_their_variable() {
    let sandbox = used_sandbox();
    let before = sandbox.everything();
    sandbox.portkeeper("reserve").env("PORTKEEPER_HOST", "a b").refused(2).says("PORTKEEPER_HOST");
    before.assert_unchanged("this");
}

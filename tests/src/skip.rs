//! What a machine lacks is said aloud, and is an error where it was promised.

use std::io::Write;
use std::net::TcpListener;
use std::process::Command;

/// Says that a test could not run here, past the capture of `cargo test`.
///
/// # Panics
/// When the environment has `PORTKEEPER_REQUIRE_<NEED>=1`, for example `PORTKEEPER_REQUIRE_NETNS=1`: a machine that promises to
/// have it must not skip.
#[track_caller]
pub fn skipped(need: &str, why: &str) {
    let promise = format!("PORTKEEPER_REQUIRE_{}", need.to_uppercase());
    assert!(std::env::var_os(&promise).is_none_or(|value| value != "1"), "{promise}=1, but {why}");
    let place = std::panic::Location::caller();
    // Not `eprintln!`: the test runner swallows what that prints when the test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {place}: {why}");
}

/// Says something that the person who runs the tests should see, past the capture of `cargo test`: what was measured, how often something
/// was tried.
#[track_caller]
pub fn tell(what: impl std::fmt::Display) {
    let place = std::panic::Location::caller();
    let _ = writeln!(std::io::stderr(), "{place}: {what}");
}

/// The program, if this machine has it. Otherwise says that the test is skipped.
#[must_use]
#[track_caller]
pub fn program_or_skip(name: &str) -> Option<String> {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().ok()?;
    let path = String::from_utf8(found.stdout).ok()?.trim().to_owned();
    if path.is_empty() {
        skipped(name, &format!("there is no {name} on this machine"));
        return None;
    }
    Some(path)
}

/// Whether this machine has the loopback address of IPv6; many containers don't.
#[must_use]
pub fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// As [`has_ipv6`]. If not, says that the test is skipped.
#[must_use]
#[track_caller]
pub fn ipv6_or_skip() -> bool {
    let has = has_ipv6();
    if !has {
        skipped("IPV6", "this machine has no IPv6: `::1` cannot be bound");
    }
    has
}

//! What a machine lacks is said aloud, by the tests of the rooms.

use std::fmt::Display;
use std::io::Write;
use std::net::TcpListener;
use std::panic::Location;

/// Says that a test, or a part of one, could not run here, past the capture of `cargo test`: it swallows what a passing test prints.
#[track_caller]
pub(crate) fn skipped(why: impl Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {}: {why}", Location::caller());
}

/// Whether this machine has the loopback address of IPv6. If not, says that the test is skipped.
#[track_caller]
pub(crate) fn ipv6_or_skip() -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        skipped("this machine has no IPv6: `::1` cannot be bound");
    }
    has
}

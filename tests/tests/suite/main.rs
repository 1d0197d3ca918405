//! The real binary, real sockets and real plugins.

#![cfg(unix)]

use portkeeper_tests::{Programs, Sandbox};

mod concurrency;

/// A user with an empty home.
fn sandbox() -> Sandbox {
    Sandbox::new(Programs {
        portkeeper: env!("CARGO_BIN_EXE_portkeeper-under-test"),
        stand_in: env!("CARGO_BIN_EXE_stand-in"),
    })
}

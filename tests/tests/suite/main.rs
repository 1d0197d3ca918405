//! The real binary, real sockets and real plugins.

#![cfg(unix)]

use portkeeper_tests::{Programs, Sandbox};

mod bad_input;
mod choosing;
mod compose;
mod concurrency;
mod config;
mod documents;
mod examples;
mod faults;
mod holds;
mod leases;
mod overview;
mod places;
mod plugins;
mod prepare;
mod prepare_refused;
mod property;
mod registry_file;
mod releasing;
mod runtime_js;
mod third_party;
mod write_env;

/// A user with an empty home.
fn sandbox() -> Sandbox {
    Sandbox::new(Programs {
        portkeeper: env!("CARGO_BIN_EXE_portkeeper-under-test"),
        stand_in: env!("CARGO_BIN_EXE_stand-in"),
        target: env!("CARGO_TARGET_TMPDIR"),
    })
}

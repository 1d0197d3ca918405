//! The real binary, real sockets and real plugins.

#![cfg(unix)]

use portkeeper_tests::{Programs, Sandbox};

mod author;
mod bad_input;
mod choosing;
mod compose;
mod concurrency;
mod config;
mod doctor;
mod documents;
mod examples;
mod explain;
mod faults;
mod formats;
mod holds;
mod import;
mod kill;
mod leases;
mod names;
mod overview;
mod pick;
mod places;
mod plugin_authors;
mod plugin_guide;
mod plugin_lock;
mod plugin_options;
mod plugin_shelf;
mod plugins;
mod port_for;
mod prepare;
mod prepare_refused;
mod property;
mod registry_file;
mod releasing;
mod reserve_network;
mod run;
mod runtime_js;
mod scan;
mod scan_refused;
mod scan_views;
mod third_party;
mod wait;
mod write_env;

/// A user with an empty home.
fn sandbox() -> Sandbox {
    Sandbox::new(Programs {
        portkeeper: env!("CARGO_BIN_EXE_portkeeper-under-test"),
        stand_in: env!("CARGO_BIN_EXE_stand-in"),
        target: env!("CARGO_TARGET_TMPDIR"),
    })
}

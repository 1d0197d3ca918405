//! The real binary, real sockets and real plugins.

#![cfg(unix)]

use std::sync::LazyLock;

use portkeeper_tests::{Programs, Sandbox};

mod addresses;
mod advice;
mod answers;
mod author;
mod bad_input;
mod choosing;
mod compose;
mod concurrency;
mod config;
mod corpus;
mod doctor;
mod documents;
mod engine;
mod examples;
mod explain;
mod faults;
mod formats;
mod holds;
mod hostile_text;
mod house_words;
mod import;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod injected_faults;
mod kill;
mod leases;
mod names;
mod overview;
mod owners;
mod package;
mod path_options;
mod peers;
mod pick;
mod places;
mod plugin_authors;
mod plugin_guide;
mod plugin_lock;
mod plugin_options;
mod plugin_reach;
mod plugin_shelf;
mod plugins;
mod port_for;
mod prepare;
mod prepare_refused;
mod projects;
mod property;
mod protocols;
mod published;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod races;
mod registry_faults;
mod registry_file;
mod releasing;
mod reserve_network;
mod run;
mod runtime_js;
mod scan;
mod scan_refused;
mod scan_views;
mod second_user;
mod third_party;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod unreadable;
mod unwritable;
mod wait;
mod wait_hostile;
mod words;
mod write_env;

/// The program under test: this build's, or the one that `PORTKEEPER_UNDER_TEST` names, so that what packages ship is tested too.
fn portkeeper() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        std::env::var("PORTKEEPER_UNDER_TEST")
            .unwrap_or_else(|_| env!("CARGO_BIN_EXE_portkeeper-under-test").to_owned())
    });
    &PROGRAM
}

/// The programs that tests run.
fn programs() -> Programs {
    Programs { portkeeper: portkeeper(), stand_in: env!("CARGO_BIN_EXE_stand-in") }
}

/// A user with an empty home.
fn sandbox() -> Sandbox {
    Sandbox::new(programs())
}

//! The harness: every test gets its own home, registry, ports and processes, so that all of them may run in parallel.
//!
//! A test reads like a transcript: a [`Sandbox`] runs the real command line, an [`Outcome`] says what came of it and shows all of
//! it when that was not what the test expected. Nothing waits by sleeping: a [`StandIn`] says when it is ready.

#![cfg(unix)]

pub mod builtin;
pub mod corpus;
mod crowd;
mod holder;
pub mod hostile;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod injection;
mod lan;
#[cfg(target_os = "linux")]
mod leftover;
mod markdown;
mod namespace;
mod outcome;
mod ports;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod race;
mod release;
mod run;
mod sandbox;
mod server;
mod skip;
mod snapshot;
mod stand_in;
mod terminal;
#[cfg(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod trace;
mod usage;
mod wat_plugin;

pub use crowd::{Counts, Loop};
pub use holder::HolderProcess;
pub use lan::{Kind, Lan};
pub use markdown::{Block, blocks_for_testing};
pub use namespace::{Namespace, Own};
pub use outcome::Outcome;
pub use ports::{Ports, listen_when_free};
pub use release::release_build;
pub use run::{Run, Running, all_at_once};
pub use sandbox::{Programs, Sandbox, without_checksum};
pub use server::{Server, ask};
pub use skip::{has_ipv6, ipv6_or_skip, program_or_skip, skipped, tell};
pub use snapshot::Snapshot;
pub use stand_in::{StandIn, copy_program};
pub use terminal::{Terminal, left_on_screen};
pub use usage::Usage;
pub use wat_plugin::WatPlugin;

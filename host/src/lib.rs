//! portkeeper makes a port yours from the moment it is chosen until your server listens on it.
//!
//! The rooms, from the ground up; each imports only from those before it:
//!
//! 1. [`model`]: the words of the domain as plain types
//! 2. [`fs`], [`os`], [`document`] and [`options`]: files that survive a crash, what only the operating system knows, places in
//!    documents that people write, and what the options of a format may be
//! 3. [`registry`], [`policy`], [`probe`], [`plugins`], [`config`], [`lockfile`], [`output`], [`trust`], [`import`]: one task each,
//!    unaware of each other
//! 4. [`hold`] and [`handover`]: sockets that keep ports, and their way to a server; [`scan`]: the local network;
//!    [`reserve`], [`reserve_network`], [`prepare`], [`install`], [`authoring`], [`who`], [`wait`], [`explain`], [`kill`] and
//!    [`doctor`]: what the rooms do together
//! 5. [`PortRegistry`], the front door for programs, and the command line

pub mod model;

pub mod document;
pub mod fs;
pub mod os;
#[cfg(feature = "plugins")]
mod threads;

#[cfg(feature = "plugins")]
pub mod options;

#[cfg(feature = "plugins")]
pub mod config;
pub mod import;
#[cfg(feature = "plugins")]
pub mod lockfile;
#[cfg(feature = "plugins")]
pub mod output;
#[cfg(feature = "plugins")]
pub mod plugins;
pub mod policy;
pub mod probe;
pub mod registry;
#[cfg(feature = "plugins")]
pub mod trust;

#[cfg(feature = "plugins")]
pub mod authoring;
pub mod doctor;
pub mod explain;
pub mod handover;
pub mod hold;
#[cfg(feature = "plugins")]
pub mod install;
pub mod kill;
#[cfg(feature = "plugins")]
pub mod prepare;
pub mod reserve;
#[cfg(feature = "scan")]
pub mod reserve_network;
#[cfg(feature = "scan")]
pub mod scan;
pub mod wait;
pub mod who;

mod port_registry;
mod settings;
#[cfg(test)]
mod skip;

pub use port_registry::{GetPortError, ListenError, NameOf, PortRegistry, Reserved, Selection, SetupError};
pub use settings::Settings;

#[cfg(feature = "cli")]
mod app;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod commands;

/// The command line: parses the arguments, runs the command, and says how it ended.
#[cfg(feature = "cli")]
#[must_use]
pub fn main() -> std::process::ExitCode {
    cli::main()
}

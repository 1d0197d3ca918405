//! Which ports are good ones to hand out: those that nothing else has a claim to.
//!
//! A good port needs no privilege, is not assigned by IANA, is neither one that the kernel picks for `bind(0)` and outgoing connections
//! nor one that this machine has set aside, is open to browsers, and has some distance to ports that are assigned, because well-known
//! programs often take the next few as well. (Ranges and distances are those that the Python package port-for has proven.)

mod browsers;
mod gaps;
mod good;
mod iana;
mod kernel;
mod reason;
mod services;

pub use gaps::good_port_ranges;
pub use good::{GoodPorts, available_good_ports, good_ports};
pub use kernel::KernelPorts;
pub use reason::{Reason, reasons, why_not};
pub use services::service;

/// The fewest ports of a good range, less one.
pub const LEAST_LENGTH: usize = 20;

/// How far a good port is from a port that is not free to give, at least.
pub const BORDER: u16 = 3;

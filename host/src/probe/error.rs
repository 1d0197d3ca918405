//! Why a port could not be probed.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

use crate::fs::describe;
use crate::model::{Host, Port, Protocol};

/// Why a port could not be probed.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The resolver does not know the host.
    #[error("the host `{host}` cannot be resolved: {reason}; check its spelling, or use an IP address of this machine")]
    Unresolved {
        /// As it was asked for.
        host: Host,
        /// What the resolver said.
        reason: String,
    },
    /// The host is known, but another machine. Ports can be reserved on this one only.
    #[error(
        "{address} is not an address of this machine; use localhost, 0.0.0.0 for all addresses, or one that this machine has"
    )]
    NotLocal {
        /// The address that cannot be bound.
        address: IpAddr,
    },
    /// This user may not bind the port.
    #[error(
        "this user may not bind {protocol} port {port} (ports below {} are for root, unless the machine is set up otherwise)",
        crate::os::first_unprivileged_port().map_or(0, Port::get)
    )]
    Denied {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
    },
    /// The system refused for a reason that has nothing to do with the port, for example too many open files.
    #[error("cannot test {protocol} port {port} on {address}: {}", describe(.source))]
    Failed {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
        /// The address.
        address: IpAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Every port that would do is in use.
    #[error("no good port is free on this machine")]
    NoneFree,
    /// Neither of the kernel's interfaces to its tables works.
    #[error("cannot read the kernel's table of {protocol} sockets: {}", describe(.source))]
    Tables {
        /// The protocol.
        protocol: Protocol,
        /// What the system said.
        source: io::Error,
    },
}

//! Why there is no scan.

use std::io;

use ipnet::IpNet;
use thiserror::Error;

use crate::model::Host;

/// Why there is no scan.
#[derive(Debug, Error)]
pub enum ScanError {
    /// There is nothing around to look at.
    #[error("there is no network to scan: this machine has {}", what_there_is(.passed_over))]
    NoNetwork {
        /// Interfaces that are there, and left out unless they are named.
        passed_over: String,
    },
    /// No interface has that name.
    #[error("there is no interface `{name}` with an address; there are {known}")]
    NoSuchInterface {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The interface is switched off, or nothing is plugged in.
    #[error("the interface `{name}` is down")]
    InterfaceDown {
        /// Its name.
        name: String,
    },
    /// The network has so many addresses that it was hardly meant.
    #[error("{network} is large: {effort}; name a smaller network, or add --yes")]
    TooLarge {
        /// The network.
        network: IpNet,
        /// How many addresses, and how long that takes.
        effort: String,
    },
    /// The resolver does not know the host.
    #[error("the host `{host}` cannot be resolved: {reason}; check its spelling, or use an IP address")]
    Unresolved {
        /// As it was asked for.
        host: Host,
        /// What the resolver said.
        reason: String,
    },
    /// The system does not list its interfaces.
    #[error("cannot read the network interfaces: {}", crate::fs::describe(.0))]
    Interfaces(#[source] io::Error),
    /// The system gives no sockets.
    #[error("cannot open sockets: {}", crate::fs::describe(.0))]
    Sockets(#[source] io::Error),
}

fn what_there_is(passed_over: &str) -> String {
    if passed_over.is_empty() {
        "only the loopback interface. `--host 127.0.0.1` looks at the machine itself".to_owned()
    } else {
        format!("only {passed_over}, which --interface takes in. `--host 127.0.0.1` looks at the machine itself")
    }
}

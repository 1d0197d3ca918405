//! Who is on which port, from one reading of the kernel's tables.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod proc_net;

#[cfg(target_os = "linux")]
#[path = "tables.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "asking.rs"]
mod platform;

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

pub use platform::Sockets;
#[cfg(target_os = "linux")]
pub(crate) use platform::clients;

/// A socket on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occupant {
    /// What it does there.
    pub state: SocketState,
    /// Its own address, IPv4-mapped ones as IPv4.
    pub address: IpAddr,
    /// Its inode, by which [`Processes`](super::Processes) finds its programs; none for a remnant, which has no program, and where the
    /// platform does not report it.
    pub inode: Option<u64>,
    /// The user it belongs to; none where the platform does not report it.
    pub uid: Option<u32>,
}

/// What a socket does on its port, in the order of how much it matters to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SocketState {
    /// It takes any peer: a TCP listener, a UDP socket without a peer.
    Listening,
    /// TCP: bound, and neither listening nor connected.
    Bound,
    /// It has a peer, or is about to have one.
    Connected,
    /// What is left of a TCP connection: TIME_WAIT, or closing without a process (RFC 9293, 3.3.2).
    Remnant,
}

impl fmt::Display for SocketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listening => "listening",
            Self::Bound => "bound",
            Self::Connected => "connected",
            Self::Remnant => "remnant",
        })
    }
}

#[cfg(test)]
#[path = "sockets_tests.rs"]
mod tests;

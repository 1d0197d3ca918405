//! What a scan finds out, as it finds it out.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Address, Mac};
use crate::model::Port;

/// Something that a scan found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A host is there; or more has become known of one that was reported before.
    Host(Sighting),
    /// What a port of a host does. Reported once for each port of a host.
    Port {
        /// The host's address.
        address: Address,
        /// The port.
        port: Port,
        /// What it does.
        state: PortState,
    },
    /// Something that the user should know.
    Note(String),
    /// The scan is over. Always the last event.
    Finished(Ending),
}

/// How a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything was looked at.
    Complete,
    /// Its time was up.
    TimeUp,
    /// The network failed: an interface went away, or the system refused to go on.
    Broken,
}

/// All that is known of a host, apart from its ports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Where it is.
    pub address: Address,
    /// Its network card, where this is on the same link and the system reports it.
    pub mac: Option<Mac>,
    /// How we know that it is there.
    pub up_by: UpBy,
    /// How long an answer takes, there and back.
    pub rtt: Option<Duration>,
    /// Whether it is an address of this machine.
    pub own: bool,
}

/// What a port does, seen from here and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PortState {
    /// A server accepts connections.
    Open,
    /// The host said that nothing listens (RST). On an address of this machine: it can be bound.
    Closed,
    /// On an address of this machine only: nothing listens, but it cannot be bound either.
    Bound,
    /// A firewall or router refused for the host (ICMP). Whether the port is free is unknown.
    Rejected,
    /// No answer.
    Filtered,
}

/// How we know that a host is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UpBy(u8);

impl UpBy {
    /// It is this machine.
    pub const OWN: Self = Self(1);
    /// It answered ARP or Neighbor Discovery, now.
    pub const NEIGHBOUR: Self = Self(2);
    /// It answered an ICMP echo request.
    pub const ICMP: Self = Self(4);
    /// It answered TCP, with SYN-ACK or RST.
    pub const TCP: Self = Self(8);
    /// The system knows its card from before; that it is still there is not proven.
    pub const CACHED: Self = Self(16);

    const NAMES: [(Self, &'static str); 5] = [
        (Self::OWN, "own"),
        (Self::NEIGHBOUR, "neighbor"),
        (Self::ICMP, "icmp"),
        (Self::TCP, "tcp"),
        (Self::CACHED, "cached"),
    ];

    /// Whether it is there for certain.
    #[must_use]
    pub fn is_proven(self) -> bool {
        self.0 & !Self::CACHED.0 != 0
    }

    /// Whether all of `other` is known.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together. What is proven needs no cache.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let both = Self(self.0 | other.0);
        if both.is_proven() { Self(both.0 & !Self::CACHED.0) } else { both }
    }

    /// All of them together.
    #[must_use]
    pub fn all() -> Self {
        Self::NAMES.into_iter().fold(Self(0), |all, (one, _)| Self(all.0 | one.0))
    }

    /// The words of reports: `own`, `neighbor`, `icmp`, `tcp`, `cached`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(flag, _)| self.contains(*flag)).map(|(_, name)| name)
    }
}

impl Serialize for UpBy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

/// How far a scan has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Addresses that were asked.
    pub addresses: u64,
    /// Addresses in all.
    pub of_addresses: u64,
    /// Hosts found.
    pub hosts: u64,
    /// Ports of these hosts that are known by now.
    pub ports: u64,
    /// Ports of these hosts in all.
    pub of_ports: u64,
    /// Packets sent to find out: questions for addresses, echo requests, connection attempts.
    pub probes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proven_is_no_longer_cached() {
        let cached = UpBy::CACHED;
        assert!(!cached.is_proven());
        let proven = cached.and(UpBy::TCP).and(UpBy::NEIGHBOUR);
        assert!(proven.is_proven());
        assert_eq!(proven.names().collect::<Vec<_>>(), ["neighbor", "tcp"]);
    }
}

//! A reservation: a port on a host, with an owner.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Hold, HoldKind, Host, Lease, LeaseName, Place, Port, Protocol, ReservationId, addresses_overlap};

/// A port on a host, with an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Which one it is, whatever else changes about it.
    pub id: ReservationId,
    /// The host as it was asked for.
    pub host: Host,
    /// The port.
    pub port: Port,
    /// The protocol.
    pub protocol: Protocol,
    /// The addresses that the reservation stands for. Never empty.
    pub addresses: Vec<IpAddr>,
    /// The owner, as the creator of the reservation named it.
    pub owner: Option<String>,
    /// Why it is alive.
    pub lease: Lease,
    /// The sockets that keep the port; none: the registry alone does.
    pub hold: Option<Hold>,
    /// Where it was made.
    pub place: Arc<Place>,
    /// When it was made, by the wall clock.
    pub created: Timestamp,
    /// When it was made, by `CLOCK_BOOTTIME` of the place's boot.
    pub created_since_boot: Duration,
    /// The process that asked for it. Information only: in `$(...)`, pipes and make it is already dying.
    pub caller: Option<Caller>,
}

/// The process that asked for a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// Its pid.
    pub pid: u32,
    /// Its name, as the kernel has it (`/proc/PID/comm`, proc(5)).
    pub command: String,
}

impl Reservation {
    /// Whether the two are about the same port: the same machine and network namespace, protocol and port, and an address that
    /// both stand for.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.place.shares_ports_with(&other.place) && self.covers(other.protocol, other.port, &other.addresses)
    }

    /// Whether the reservation keeps the port on any of the addresses, for a caller in its own place.
    #[must_use]
    pub fn covers(&self, protocol: Protocol, port: Port, addresses: &[IpAddr]) -> bool {
        self.protocol == protocol
            && self.port == port
            && self.addresses.iter().any(|&mine| addresses.iter().any(|&theirs| addresses_overlap(mine, theirs)))
    }

    /// Whether the two cannot both have their name: a name stands for one port, with one reservation for each of its protocols.
    #[must_use]
    pub fn disputes_name_of(&self, other: &Self) -> bool {
        let is_twin = self.port == other.port && self.protocol != other.protocol;
        !is_twin && self.name().zip(other.name()).is_some_and(|(mine, theirs)| mine.is_same(theirs))
    }

    /// What the wall clock shows this long after the reservation was made, if it does not jump: when a timed lease of that length is up.
    #[must_use]
    pub fn time_after(&self, length: Duration) -> Timestamp {
        let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        self.created.saturating_add(length).unwrap_or(Timestamp::MAX)
    }

    /// The name and project, when it is a named one.
    #[must_use]
    pub fn name(&self) -> Option<&LeaseName> {
        match &self.lease {
            Lease::Named(name) => Some(name),
            _ => None,
        }
    }
}

/// How far a reservation keeps other programs away from its port. The weakest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Guarantee {
    /// Everyone who asks portkeeper keeps away; a program that does not ask can still bind the port.
    Advisory,
    /// A program can bind it only with `SO_REUSEADDR`.
    Soft,
    /// No program can bind it but in the moment in which its server does.
    Gated,
    /// No other program can bind it.
    Exclusive,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advisory => "advisory",
            Self::Soft => "soft",
            Self::Gated => "gated",
            Self::Exclusive => "exclusive",
        })
    }
}

impl From<HoldKind> for Guarantee {
    fn from(kind: HoldKind) -> Self {
        match kind {
            HoldKind::Exclusive => Self::Exclusive,
            HoldKind::Gated => Self::Gated,
            HoldKind::Soft => Self::Soft,
        }
    }
}

//! Chooses ports and reserves them, all or none.
//!
//! A port is free when no live reservation overlaps it and the kernel lets us have it. What a choice depends on outside of the
//! registry (clocks, processes, sockets, directories) stands behind [`World`], so that the rules here run in tests without any of
//! it; [`Machine`] is the real one.

mod adopt;
mod choice;
mod confirm;
mod grant;
mod machine;
mod naming;
mod pick;
mod recover;
mod release;
mod request;
mod search;
mod serve;
mod stale;
mod unkept;
mod world;

#[cfg(test)]
mod hold_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twins_tests;

pub use adopt::{Adopted, adopt};
pub use choice::PortSelector;
pub use confirm::{abandon, confirm, give_back, let_go, orphans};
pub use grant::{dry_run, reserve};
pub use machine::Machine;
pub use naming::{NameOptions, NameRequest, names_of, reserve_names};
pub use pick::{Pick, PickError, live_on, pick};
pub use recover::{Recovered, Refusal, recover, release_hold};
pub use release::{Collected, Release, Released, collect, release, would_collect};
pub use request::{Granted, Outcome, Request, ports, with_twins};
pub use stale::{Stale, holder_of, why_stale};
pub use unkept::unkept;
pub use world::{Occupied, Presence, World, presence};

use thiserror::Error;

use crate::hold::HoldError;
use crate::model::{HoldKind, Host, Port, Protocol, Protocols, Reservation};
use crate::probe::ProbeError;
use crate::registry::{RegistryError, reserved};

/// How long a reservation without another lease stays alive while nothing listens on it, and a provisional one in any case.
pub const GRACE: std::time::Duration = std::time::Duration::from_secs(60);

/// Why nothing was reserved.
#[derive(Debug, Error)]
pub enum ReserveError {
    /// The registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The kernel cannot be asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The port cannot be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// UDP ports cannot be held in that way.
    #[error("UDP ports cannot be held in the way `{0}`: use --hold=exclusive")]
    NotOverUdp(HoldKind),
    /// The port cannot be held, and what was reserved for it could not be undone.
    #[error("{}, but not held ({error}), and this could not be undone ({undo})", reserved(.ports))]
    NotUndone {
        /// The ports that are reserved now.
        ports: Vec<Port>,
        /// What failed.
        error: Box<HoldError>,
        /// Why the reservations could not be undone.
        undo: Box<RegistryError>,
    },
    /// The one port that was asked for is taken.
    #[error("port {port} on {host} is not free{}: {}", for_protocol(.protocol), in_the_way(.by))]
    NotFree {
        /// The port.
        port: Port,
        /// The host.
        host: Host,
        /// The protocol for which it is not free, if it was wanted for several.
        protocol: Option<Protocol>,
        /// Who has it.
        by: Box<Blocker>,
    },
    /// No port of those asked for is free.
    #[error(
        "no {} port{}{} among {choice} on {host}: {}{reserved} reserved, {in_use} in use{}. Ask for a wider range{}",
        if *.ours == 0 { "free" } else { "further free" },
        for_name(.name),
        for_both(*.protocols),
        taken_by_us(*.ours),
        also_denied(*.denied),
        or_release(*.reserved)
    )]
    NoneFree {
        /// The name that wanted one, if any.
        name: Option<String>,
        /// The protocols that it was to be free for.
        protocols: Protocols,
        /// What was asked for.
        choice: PortSelector,
        /// The host.
        host: Host,
        /// How many this very request would have had, which gets none now.
        ours: usize,
        /// How many others have reserved.
        reserved: usize,
        /// How many are not reserved, but in use.
        in_use: usize,
        /// How many this user may not bind.
        denied: usize,
    },
}

impl ReserveError {
    /// The reservation of the one port that was asked for.
    #[must_use]
    pub fn reserved_by(&self) -> Option<&Reservation> {
        match self {
            Self::NotFree { by, .. } => by.reservation(),
            _ => None,
        }
    }
}

/// What keeps a port from being free.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is boxed where it is kept")]
pub enum Blocker {
    /// A live reservation.
    Reservation(Reservation),
    /// Sockets of any process; empty when they cannot be seen from here.
    Sockets(Vec<Occupied>),
}

impl Blocker {
    pub(super) fn reservation(&self) -> Option<&Reservation> {
        match self {
            Self::Reservation(reservation) => Some(reservation),
            Self::Sockets(_) => None,
        }
    }
}

fn in_the_way(blocker: &Blocker) -> String {
    match blocker {
        Blocker::Reservation(reservation) => format!("reserved {}", Described(reservation)),
        Blocker::Sockets(occupied) => match occupied.first() {
            Some(first) => first.to_string(),
            None => "something that cannot be seen from here uses it".to_owned(),
        },
    }
}

fn for_name(name: &Option<String>) -> String {
    name.as_ref().map(|name| format!(" for `{name}`")).unwrap_or_default()
}

pub(super) fn for_both(protocols: Protocols) -> &'static str {
    if protocols == Protocols::Both { " for both tcp and udp" } else { "" }
}

pub(super) fn for_protocol(protocol: &Option<Protocol>) -> String {
    protocol.map(|protocol| format!(" for {protocol}")).unwrap_or_default()
}

fn taken_by_us(ours: usize) -> String {
    if ours == 0 { String::new() } else { format!("{ours} for this request itself, ") }
}

fn also_denied(denied: usize) -> String {
    if denied == 0 { String::new() } else { format!(", {denied} denied to this user") }
}

fn or_release(reserved: usize) -> &'static str {
    if reserved == 0 { "" } else { ", or see `portkeeper status` for what can be released" }
}

/// A reservation in the words of a message: `for me, as web of /srv/shop`.
#[must_use]
pub fn described(reservation: &Reservation) -> impl std::fmt::Display {
    Described(reservation)
}

struct Described<'a>(&'a Reservation);

impl std::fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::model::Lease;
        if let Some(owner) = &self.0.owner {
            write!(f, "for {owner}, ")?;
        }
        match &self.0.lease {
            Lease::Named(name) => {
                write!(f, "as {}", name.name)?;
                match &name.project {
                    Some(project) => write!(f, " of {}", project.path.display()),
                    None => f.write_str(", a global name"),
                }
            }
            Lease::Held => {
                let pid = self.0.hold.as_ref().map_or(0, |hold| hold.holder.pid);
                write!(f, "while process {pid} holds it")
            }
            Lease::Process(process) => write!(f, "while process {} runs", process.pid),
            Lease::Timed { length } => {
                write!(f, "until {:.0}", self.0.time_after(*length))?;
                if self.0.owner.is_none() {
                    f.write_str(" (to renew a reservation, make it with --owner and repeat that owner)")?;
                }
                Ok(())
            }
            Lease::Grace { length } => {
                write!(f, "while something listens there, and for {} s in any case", length.as_secs_f64())
            }
        }
    }
}

//! What is asked for, and what came of it.

use std::net::IpAddr;

use super::PortSelector;
use super::release::Released;
use super::world::Occupied;
use crate::model::{Guarantee, HoldKind, Host, Lease, Protocol, Reservation};
use crate::registry::Notice;

/// One port that is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The host, as it was written.
    pub host: Host,
    /// The addresses that it stands for ([`crate::probe::local_addresses`]).
    pub addresses: Vec<IpAddr>,
    /// The protocol.
    pub protocol: Protocol,
    /// Which ports will do.
    pub choice: PortSelector,
    /// Whom it is for.
    pub owner: Option<String>,
    /// Why it shall stay alive. A name that has a port already keeps it.
    pub lease: Lease,
    /// What sockets shall keep away from the port, if [`World::keeper`](super::World::keeper) can hold it; none: no sockets, or those
    /// that do already.
    pub hold: Option<HoldKind>,
}

/// A port that was reserved.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The reservation.
    pub reservation: Reservation,
    /// Whether it was there before: a name asked for again, or a lease renewed.
    pub existed: bool,
    /// What the name had before, when that no longer fits the request.
    pub replaced: Option<Reservation>,
    /// Whether it is held now.
    pub held: bool,
    /// Whether it was to be held and is not, because somebody uses it already.
    pub hold_failed: bool,
    /// Whether it is held since now.
    pub newly_held: bool,
    /// Who uses the port now, other than the hold: the port of a name usually has its own server on it. A port that portkeeper chose
    /// is unused.
    pub occupied_by: Vec<Occupied>,
}

impl Granted {
    /// How far the port is kept from other programs.
    #[must_use]
    pub fn guarantee(&self) -> Guarantee {
        let hold = self.reservation.hold.as_ref().filter(|_| self.held);
        hold.map_or(Guarantee::Advisory, |hold| hold.kind.into())
    }
}

/// What a call to [`reserve`](super::reserve()) came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// One for each request, in their order.
    pub granted: Vec<Granted>,
    /// What was collected on the way, because it was stale.
    pub collected: Vec<Released>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

//! What is asked for, and what came of it.

use std::net::IpAddr;

use super::PortSelector;
use super::release::Released;
use super::world::Occupied;
use crate::model::{Guarantee, HoldKind, Host, Lease, Port, Protocol, Protocols, Reservation, ReservationId};
use crate::registry::Notice;

/// One port that is wanted.
#[derive(Debug, Clone)]
pub struct Request {
    /// The host, as it was written.
    pub host: Host,
    /// The addresses that it stands for ([`crate::probe::local_addresses`]).
    pub addresses: Vec<IpAddr>,
    /// The protocols: with several, the port has the same number for all of them.
    pub protocols: Protocols,
    /// Which ports will do.
    pub choice: PortSelector,
    /// The owner.
    pub owner: Option<String>,
    /// Why it shall stay alive. A name that has a port already keeps it.
    pub lease: Lease,
    /// What sockets shall keep away from the port, if [`World::keeper`](super::World::keeper) can hold it; none: no sockets, or those
    /// that do already. For UDP it is [`HoldKind::over`] that protocol.
    pub hold: Option<HoldKind>,
}

/// A port that was reserved, for one protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Granted {
    /// The reservation.
    pub reservation: Reservation,
    /// The reservation of the same request for the first of its protocols; none: it is that one.
    pub twin_of: Option<ReservationId>,
    /// Whether it was there before: a name asked for again, or a lease renewed.
    pub existed: bool,
    /// What the name had before, when that no longer fits the request.
    pub replaced: Vec<Reservation>,
    /// Whether it is held now.
    pub held: bool,
    /// Whether it was to be held and is not, because another process uses it already.
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

    /// How far the port is kept for both protocols, if it has a twin: the weaker one counts.
    #[must_use]
    pub fn guarantee_with(&self, twin: Option<&Self>) -> Guarantee {
        twin.map_or(self.guarantee(), |twin| self.guarantee().min(twin.guarantee()))
    }

    /// The protocol for which the name had the port before, and has it no longer.
    #[must_use]
    pub fn narrowed_from(&self) -> Option<Protocol> {
        let is_same_port = |old: &&Reservation| old.port == self.reservation.port;
        let protocols = self.replaced.iter().filter(is_same_port).map(|old| old.protocol);
        protocols.into_iter().find(|&protocol| protocol != self.reservation.protocol)
    }

    /// What the name had of this very port, and gives up.
    pub(super) fn given_up(&mut self) -> impl Iterator<Item = &mut Reservation> {
        let port = self.reservation.port;
        self.replaced.iter_mut().filter(move |old| old.port == port)
    }

    /// Another port that the name had before.
    #[must_use]
    pub fn moved_from(&self) -> Option<Port> {
        self.replaced.iter().map(|old| old.port).find(|&old| old != self.reservation.port)
    }
}

/// The ports of requests, each with its twin: the reservation for the second protocol of a request for two.
pub fn with_twins(granted: &[Granted]) -> impl Iterator<Item = (&Granted, Option<&Granted>)> {
    let twin = |first: &Granted| granted.iter().find(|other| other.twin_of == Some(first.reservation.id));
    // Nearly always there are none, and none is looked for.
    let any = granted.last().is_some_and(|last| last.twin_of.is_some());
    let firsts = granted.iter().filter(|granted| granted.twin_of.is_none());
    firsts.map(move |first| (first, if any { twin(first) } else { None }))
}

/// The ports of what was granted, each once.
pub fn ports<'a>(granted: impl IntoIterator<Item = &'a Granted>) -> Vec<Port> {
    let mut ports = Vec::new();
    for Granted { reservation, twin_of, .. } in granted {
        if twin_of.is_none() || !ports.contains(&reservation.port) {
            ports.push(reservation.port);
        }
    }
    ports
}

/// What a call to [`reserve`](super::reserve()) came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// One for each request, in their order; after them, in their order as well, the twins of those for two protocols
    /// ([`with_twins`]).
    pub granted: Vec<Granted>,
    /// What was collected on the way, because it was stale.
    pub collected: Vec<Released>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

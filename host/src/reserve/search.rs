//! The search for a port that is free.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use super::request::Request;
use super::stale::why_stale;
use super::world::World;
use super::{Blocker, PortSelector, ReserveError};
use crate::hold::HoldBackend;
use crate::model::{Caller, HoldKind, Lease, Port, Protocol, Protocols, Reservation, ReservationId};
use crate::probe::{ANYWHERE, PortState, ProbeError};
use crate::registry::Transaction;

/// Who sits where: the ports that live reservations keep.
pub(super) struct PortAllocator<'a, W> {
    transaction: &'a mut Transaction,
    world: &'a W,
    keeper: Option<&'a dyn HoldBackend>,
    /// The reservations that were there before, by port.
    before: Vec<(Protocol, Port, usize)>,
    /// This transaction's own reservations. They are alive, however short their leases are.
    own: HashMap<(Protocol, Port), Vec<usize>>,
    stale: HashSet<usize>,
    caller: Option<Caller>,
    /// Whether the port that was tried last is in use on another address than those that were asked for.
    used_elsewhere: bool,
    /// The protocol for which the port that was tried last is not free.
    blocked: Option<Protocol>,
    searches: HashMap<(PortSelector, Protocols, Vec<IpAddr>, Option<HoldKind>), Search>,
}

/// How far the search for one kind of request has come. No port becomes free during a transaction, so the next request of the kind
/// goes on where the last one ended.
struct Search {
    rest: Box<dyn Iterator<Item = Port>>,
    /// Ports that others prefer, and ports on which old connections linger.
    last_resorts: VecDeque<Port>,
    tally: Tally,
}

impl<'a, W: World> PortAllocator<'a, W> {
    pub(super) fn new(transaction: &'a mut Transaction, world: &'a W, keeper: Option<&'a dyn HoldBackend>) -> Self {
        let (here, all) = (world.place(), transaction.reservations().iter().enumerate());
        let here = all.filter(|(_, reservation)| here.shares_ports_with(&reservation.place));
        let mut before: Vec<_> =
            here.map(|(index, reservation)| (reservation.protocol, reservation.port, index)).collect();
        before.sort_unstable();
        let (own, stale, searches) = (HashMap::new(), HashSet::new(), HashMap::new());
        let (caller, used_elsewhere, blocked) = (world.caller(), false, None);
        Self { transaction, world, keeper, before, own, stale, caller, used_elsewhere, blocked, searches }
    }

    /// Takes the first port of the request's choice that is free for each of its protocols. Last resorts come last. True when it is the
    /// one port that would do, and is in use on another address of the machine.
    pub(super) fn choose(
        &mut self,
        request: &Request,
        claimed: &HashSet<(Protocol, Port)>,
    ) -> Result<(Vec<Reservation>, bool), ReserveError> {
        let kind = (request.choice, request.protocols, request.addresses.clone(), request.hold);
        let mut search = self.searches.remove(&kind).unwrap_or_else(|| self.search(request));
        let port = self.next_free(request, claimed, &mut search)?;
        let reservations: Vec<_> =
            request.protocols.iter().map(|protocol| self.take(request, protocol, port)).collect();
        search.tally.passed(&reservations[0], Whose::Ours);
        self.searches.insert(kind, search);
        Ok((reservations, self.used_elsewhere))
    }

    fn search(&self, request: &Request) -> Search {
        // The policy's ports are asked for when nothing better was found.
        let good =
            || -> Box<dyn Iterator<Item = Port>> { Box::new(good_for_all(self.world, request.protocols).into_iter()) };
        let rest = request.choice.candidates(good);
        Search { rest, last_resorts: VecDeque::new(), tally: Tally::default() }
    }

    fn next_free(
        &mut self,
        request: &Request,
        claimed: &HashSet<(Protocol, Port)>,
        search: &mut Search,
    ) -> Result<Port, ReserveError> {
        let own = request.choice.preferred();
        for port in search.rest.by_ref() {
            if let Some((reservation, whose)) = self.live(request, port) {
                search.tally.passed(reservation, whose);
                continue;
            }
            if Some(port) != own && request.protocols.iter().any(|protocol| claimed.contains(&(protocol, port))) {
                search.last_resorts.push_back(port);
                continue;
            }
            match self.try_claim(request, port, false) {
                Ok(PortState::Free) => return Ok(port),
                Ok(PortState::Lingering) => search.last_resorts.push_back(port),
                Ok(PortState::Taken) => search.tally.in_use += 1,
                Err(ProbeError::Denied { .. }) if request.choice.only().is_none() => search.tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(port) = search.last_resorts.pop_front() {
            if let Some((reservation, whose)) = self.live(request, port) {
                search.tally.passed(reservation, whose);
                continue;
            }
            match self.try_claim(request, port, true) {
                Ok(PortState::Free | PortState::Lingering) => return Ok(port),
                Ok(PortState::Taken) => search.tally.in_use += 1,
                Err(ProbeError::Denied { .. }) => search.tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.refusal(request, &search.tally))
    }

    /// Whether the port is free for each of the protocols. One that shall be held is held from now on, if it is.
    fn try_claim(&mut self, request: &Request, port: Port, lingering: bool) -> Result<PortState, ProbeError> {
        self.used_elsewhere = false;
        let mut all = PortState::Free;
        for protocol in request.protocols.iter() {
            match self.try_claim_one(request, protocol, port, lingering) {
                Ok(PortState::Free) => {}
                Ok(PortState::Lingering) if lingering => all = PortState::Lingering,
                not_free => {
                    self.blocked = Some(protocol);
                    let earlier = request.protocols.iter().take_while(|&earlier| earlier != protocol);
                    earlier.for_each(|earlier| self.unclaim(request, earlier, port));
                    return not_free;
                }
            }
        }
        Ok(all)
    }

    fn unclaim(&self, request: &Request, protocol: Protocol, port: Port) {
        if let Some((keeper, _)) = self.keeper.zip(request.hold) {
            keeper.unclaim(protocol, port);
        }
    }

    fn try_claim_one(
        &mut self,
        request: &Request,
        protocol: Protocol,
        port: Port,
        lingering: bool,
    ) -> Result<PortState, ProbeError> {
        let Request { ref addresses, hold, choice, .. } = *request;
        let hold = self.keeper.zip(hold);
        if hold.is_none() && choice.accepts_used_ports() {
            return Ok(PortState::Free);
        }
        if choice.is_everywhere() {
            // Our own sockets would be in the way of this look, so it comes first.
            match self.world.probe(protocol, port, &ANYWHERE)? {
                PortState::Taken if choice.only().is_none() => return Ok(PortState::Taken),
                PortState::Taken => self.used_elsewhere = true,
                PortState::Lingering if !lingering => return Ok(PortState::Lingering),
                state if hold.is_none() => return Ok(state),
                PortState::Free | PortState::Lingering => {}
            }
        }
        match hold {
            Some((keeper, kind)) => keeper.claim(kind.over(protocol), protocol, port, addresses, lingering),
            None => self.world.probe(protocol, port, addresses),
        }
    }

    /// The live reservation that keeps the port for one of the protocols, if one does, and whose it is.
    fn live(&mut self, request: &Request, port: Port) -> Option<(&Reservation, Whose)> {
        let (index, whose) = request.protocols.iter().find_map(|protocol| self.live_one(request, protocol, port))?;
        Some((&self.transaction.reservations()[index], whose))
    }

    fn live_one(&mut self, request: &Request, protocol: Protocol, port: Port) -> Option<(usize, Whose)> {
        let seat = (protocol, port);
        let covers = |reservation: &Reservation| reservation.covers(protocol, port, &request.addresses);
        let start = self.before.partition_point(|&(protocol, port, _)| (protocol, port) < seat);
        let here = self.before[start..].iter().take_while(|&&(protocol, port, _)| (protocol, port) == seat);
        for &(_, _, index) in here {
            let reservation = &self.transaction.reservations()[index];
            if self.stale.contains(&index) || !covers(reservation) {
                continue;
            }
            if why_stale(reservation, self.world.now(), self.world).is_none() {
                return Some((index, Whose::Theirs));
            }
            self.stale.insert(index);
        }
        let mut own = self.own.get(&seat)?.iter().copied();
        own.find(|&index| covers(&self.transaction.reservations()[index])).map(|index| (index, Whose::Ours))
    }

    fn take(&mut self, request: &Request, protocol: Protocol, port: Port) -> Reservation {
        let now = self.world.now();
        let mut reservation = Reservation {
            id: ReservationId::random(),
            host: request.host.clone(),
            port,
            protocol,
            addresses: request.addresses.clone(),
            owner: request.owner.clone(),
            lease: request.lease.clone(),
            hold: None,
            place: Arc::clone(self.world.place()),
            created: now.wall,
            created_since_boot: now.since_boot,
            caller: self.caller.clone(),
        };
        stamp(&mut reservation, self.world, &request.lease);
        let index = self.transaction.reservations().len();
        self.own.entry((protocol, port)).or_default().push(index);
        self.transaction.insert(reservation.clone());
        reservation
    }

    fn refusal(&self, request: &Request, tally: &Tally) -> ReserveError {
        let host = request.host.clone();
        if let Some(port) = request.choice.only() {
            let in_the_way = match &tally.blocker {
                Some(reservation) => reservation.protocol,
                None => self.blocked.unwrap_or_default(),
            };
            let sockets = || Blocker::Sockets(self.world.occupied_by(in_the_way, port, &request.addresses));
            let by = Box::new(tally.blocker.clone().map_or_else(sockets, Blocker::Reservation));
            let protocol = (request.protocols == Protocols::Both).then_some(in_the_way);
            return ReserveError::NotFree { port, host, protocol, by };
        }
        let name = match &request.lease {
            Lease::Named(name) => Some(name.name.clone()),
            _ => None,
        };
        let &Tally { ours, reserved, in_use, denied, .. } = tally;
        let (protocols, choice) = (request.protocols, request.choice);
        ReserveError::NoneFree { name, protocols, choice, host, ours, reserved, in_use, denied }
    }

    /// Removes what was found stale on the way.
    pub(super) fn finish(self) {
        let mut position = 0..;
        self.transaction.remove(|_| position.next().is_some_and(|index| self.stale.contains(&index)));
    }
}

/// The policy's ports that are good ones for each of the protocols.
pub(super) fn good_for_all(world: &impl World, protocols: Protocols) -> Vec<Port> {
    let mut ports: Vec<_> = world.good_ports(protocols.first()).collect();
    for protocol in protocols.iter().skip(1) {
        let good: HashSet<_> = world.good_ports(protocol).collect();
        ports.retain(|port| good.contains(port));
    }
    ports
}

/// Whether a reservation is this transaction's own, or was there before.
#[derive(Clone, Copy)]
enum Whose {
    Ours,
    Theirs,
}

/// Why candidates were passed over.
#[derive(Default)]
struct Tally {
    ours: usize,
    reserved: usize,
    in_use: usize,
    denied: usize,
    blocker: Option<Reservation>,
}

impl Tally {
    fn passed(&mut self, reservation: &Reservation, whose: Whose) {
        match whose {
            Whose::Ours => self.ours += 1,
            Whose::Theirs => self.reserved += 1,
        }
        self.blocker.get_or_insert_with(|| reservation.clone());
    }
}

/// Starts a lease now.
pub(super) fn stamp(reservation: &mut Reservation, world: &impl World, lease: &Lease) {
    let now = world.now();
    reservation.created = now.wall;
    reservation.created_since_boot = now.since_boot;
    reservation.place = Arc::clone(world.place());
    reservation.lease = lease.clone();
}

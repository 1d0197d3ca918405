//! The choice itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::release::{Released, collect_cheaply};
use super::stale::why_stale;
use super::world::{Occupied, World};
use super::{Blocker, Choice, ReserveError};
use crate::model::{Caller, Host, Lease, LeaseName, Port, Protocol, Reservation};
use crate::probe::{PortState, ProbeError};
use crate::registry::{Notice, Snapshot, Store, Transaction};

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
    pub choice: Choice,
    /// Whom it is for.
    pub owner: Option<String>,
    /// Why it shall stay alive. A name that has a port already keeps it.
    pub lease: Lease,
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
    /// Who uses the port now. A new reservation is always unused; the port of a name usually has its own server on it.
    pub occupied_by: Vec<Occupied>,
}

/// What a call to [`reserve`] came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// One for each request, in their order.
    pub granted: Vec<Granted>,
    /// What was collected on the way, because it was stale.
    pub collected: Vec<Released>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

/// Reserves a port for each request, or none at all.
///
/// # Errors
/// [`ReserveError`]; then nothing has changed.
pub fn reserve(store: &impl Store, world: &impl World, requests: &[Request]) -> Result<Outcome, ReserveError> {
    store.transaction(|transaction| grant(transaction, world, requests))
}

/// Says what [`reserve`] would do now, and changes nothing.
///
/// # Errors
/// [`ReserveError`].
pub fn rehearse(store: &impl Store, world: &impl World, requests: &[Request]) -> Result<Outcome, ReserveError> {
    grant(&mut Transaction::rehearse(store.snapshot()?), world, requests)
}

fn grant(transaction: &mut Transaction, world: &impl World, requests: &[Request]) -> Result<Outcome, ReserveError> {
    let collected = collect_cheaply(transaction, world);
    let mut granted: Vec<Option<Granted>> = vec![None; requests.len()];
    let mut replaced: Vec<Option<Reservation>> = vec![None; requests.len()];
    for (index, request) in requests.iter().enumerate() {
        match known(transaction, world, request) {
            Some(known) if fits(&transaction.reservations()[known], request) => {
                granted[index] = Some(renew(transaction, world, known, request)?);
            }
            Some(known) => {
                let mut position = 0..;
                replaced[index] = transaction.remove(|_| position.next() == Some(known)).pop();
            }
            None => {}
        }
    }
    let mut seats = Seats::new(transaction, world);
    // Ports that requests still to be served prefer: nobody else takes one while there is another. What several prefer, each of
    // them may take.
    let waiting = requests.iter().zip(&granted).filter(|(_, granted)| granted.is_none());
    let claimed: HashSet<_> = waiting.filter_map(|(request, _)| preferred(request)).collect();
    for index in order(requests) {
        if granted[index].is_none() {
            let request = &requests[index];
            let reservation = seats.choose(request, &claimed)?;
            granted[index] = Some(Granted {
                reservation,
                existed: false,
                replaced: replaced[index].take(),
                occupied_by: Vec::new(),
            });
        }
    }
    seats.finish();
    Ok(Outcome { granted: granted.into_iter().flatten().collect(), collected, notices: transaction.notices().to_vec() })
}

/// Requests with few ports to choose from come first, so that those with many don't take them away.
fn order(requests: &[Request]) -> Vec<usize> {
    let mut order: Vec<_> = (0..requests.len()).collect();
    order.sort_by_key(|&index| requests[index].choice.breadth());
    order
}

/// The port that a request would rather have than others.
fn preferred(request: &Request) -> Option<(Protocol, Port)> {
    Some((request.protocol, request.choice.preferred()?))
}

/// Where the registry has what is asked for again: the same name, or the timed port of the same owner.
fn known(snapshot: &Snapshot, world: &impl World, request: &Request) -> Option<usize> {
    let here = |reservation: &Reservation| world.place().shares_ports_with(&reservation.place);
    let mut reservations = snapshot.reservations().iter();
    match &request.lease {
        Lease::Named(name) => reservations
            .position(|reservation| reservation.name().is_some_and(|other| other.is_same(name)) && here(reservation)),
        Lease::Timed { .. } => {
            let (port, owner) = (request.choice.only()?, request.owner.as_ref()?);
            reservations.position(|reservation| {
                reservation.port == port
                    && reservation.owner.as_ref() == Some(owner)
                    && matches!(reservation.lease, Lease::Timed { .. })
                    && here(reservation)
                    && fits(reservation, request)
            })
        }
        _ => None,
    }
}

fn fits(reservation: &Reservation, request: &Request) -> bool {
    reservation.protocol == request.protocol
        && reservation.addresses == request.addresses
        && request.choice.accepts(reservation.port)
}

/// Brings a known reservation up to date. Its port stays, whoever listens there.
fn renew(
    transaction: &mut Transaction,
    world: &impl World,
    index: usize,
    request: &Request,
) -> Result<Granted, ReserveError> {
    let old = &transaction.reservations()[index];
    let mut reservation = old.clone();
    reservation.host = request.host.clone();
    reservation.owner.clone_from(&request.owner);
    match (&old.lease, &request.lease) {
        // A name that is written somewhere stays confirmed; a provisional one stays so until its files are written.
        (Lease::Named(had), Lease::Named(wanted)) => {
            reservation.lease = Lease::Named(LeaseName { provisional: had.provisional, ..wanted.clone() });
        }
        _ => stamp(&mut reservation, world, &request.lease),
    }
    let Reservation { protocol, port, ref addresses, .. } = reservation;
    let occupied_by = match world.probe(protocol, port, addresses)? {
        PortState::Taken => world.occupied_by(protocol, port, addresses),
        PortState::Free | PortState::Lingering => Vec::new(),
    };
    transaction.replace(index, reservation.clone());
    Ok(Granted { reservation, existed: true, replaced: None, occupied_by })
}

/// Starts a lease now.
fn stamp(reservation: &mut Reservation, world: &impl World, lease: &Lease) {
    let now = world.now();
    reservation.created = now.wall;
    reservation.created_since_boot = now.since_boot;
    reservation.place = Arc::clone(world.place());
    reservation.lease = match *lease {
        Lease::Timed { length, .. } => {
            let span = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
            Lease::Timed { until: now.wall.saturating_add(span).unwrap_or(now.wall), length }
        }
        _ => lease.clone(),
    };
}

/// Who sits where: the ports that live reservations keep.
struct Seats<'a, W> {
    transaction: &'a mut Transaction,
    world: &'a W,
    by_port: HashMap<(Protocol, Port), Vec<usize>>,
    stale: HashSet<usize>,
    /// Where this transaction's own reservations begin. They are alive, however short their leases are.
    own: usize,
    caller: Option<Caller>,
}

impl<'a, W: World> Seats<'a, W> {
    fn new(transaction: &'a mut Transaction, world: &'a W) -> Self {
        let mut by_port: HashMap<_, Vec<_>> = HashMap::new();
        for (index, reservation) in transaction.reservations().iter().enumerate() {
            if world.place().shares_ports_with(&reservation.place) {
                by_port.entry((reservation.protocol, reservation.port)).or_default().push(index);
            }
        }
        let own = transaction.reservations().len();
        Self { transaction, world, by_port, stale: HashSet::new(), own, caller: world.caller() }
    }

    /// Takes the first free port of the request's choice. Ports that others prefer, and ports on which old connections linger,
    /// come last.
    fn choose(&mut self, request: &Request, claimed: &HashSet<(Protocol, Port)>) -> Result<Reservation, ReserveError> {
        let mut tally = Tally::default();
        let mut last_resort = None;
        let (world, own) = (self.world, request.choice.preferred());
        // The policy's ports are asked for when nothing better was found, and not kept longer than this call.
        let good = || -> Box<dyn Iterator<Item = Port>> {
            Box::new(world.good_ports(request.protocol).collect::<Vec<_>>().into_iter())
        };
        for port in request.choice.candidates(good) {
            if let Some(reservation) = self.live(request, port) {
                tally.reserved(reservation);
                continue;
            }
            match self.world.probe(request.protocol, port, &request.addresses) {
                Ok(PortState::Free) if Some(port) == own || !claimed.contains(&(request.protocol, port)) => {
                    return Ok(self.take(request, port));
                }
                Ok(PortState::Free | PortState::Lingering) => {
                    last_resort.get_or_insert(port);
                }
                Ok(PortState::Taken) => tally.in_use += 1,
                Err(ProbeError::Denied { .. }) if request.choice.only().is_none() => tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        match last_resort {
            Some(port) => Ok(self.take(request, port)),
            None => Err(self.refusal(request, tally)),
        }
    }

    /// The live reservation that keeps the port, if one does.
    fn live(&mut self, request: &Request, port: Port) -> Option<&Reservation> {
        let indices = self.by_port.get(&(request.protocol, port))?;
        for &index in indices {
            let reservation = &self.transaction.reservations()[index];
            if self.stale.contains(&index) || !reservation.covers(request.protocol, port, &request.addresses) {
                continue;
            }
            if index >= self.own || why_stale(reservation, self.world).is_none() {
                return Some(&self.transaction.reservations()[index]);
            }
            self.stale.insert(index);
        }
        None
    }

    fn take(&mut self, request: &Request, port: Port) -> Reservation {
        let now = self.world.now();
        let mut reservation = Reservation {
            host: request.host.clone(),
            port,
            protocol: request.protocol,
            addresses: request.addresses.clone(),
            owner: request.owner.clone(),
            lease: request.lease.clone(),
            place: Arc::clone(self.world.place()),
            created: now.wall,
            created_since_boot: now.since_boot,
            caller: self.caller.clone(),
        };
        stamp(&mut reservation, self.world, &request.lease);
        let index = self.transaction.reservations().len();
        self.by_port.entry((request.protocol, port)).or_default().push(index);
        self.transaction.insert(reservation.clone());
        reservation
    }

    fn refusal(&self, request: &Request, tally: Tally) -> ReserveError {
        let host = request.host.clone();
        if let Some(port) = request.choice.only() {
            let sockets = || Blocker::Sockets(self.world.occupied_by(request.protocol, port, &request.addresses));
            let by = Box::new(tally.blocker.map_or_else(sockets, Blocker::Reservation));
            return ReserveError::NotFree { port, host, by };
        }
        let name = match &request.lease {
            Lease::Named(name) => Some(name.name.clone()),
            _ => None,
        };
        let Tally { reserved, in_use, denied, .. } = tally;
        ReserveError::NoneFree { name, choice: request.choice, host, reserved, in_use, denied }
    }

    /// Removes what was found stale on the way.
    fn finish(self) {
        let mut position = 0..;
        self.transaction.remove(|_| position.next().is_some_and(|index| self.stale.contains(&index)));
    }
}

/// Why candidates were passed over.
#[derive(Default)]
struct Tally {
    reserved: usize,
    in_use: usize,
    denied: usize,
    blocker: Option<Reservation>,
}

impl Tally {
    fn reserved(&mut self, reservation: &Reservation) {
        self.reserved += 1;
        self.blocker.get_or_insert_with(|| reservation.clone());
    }
}

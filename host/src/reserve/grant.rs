//! The choice itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::release::{Released, collect_cheaply};
use super::stale::why_stale;
use super::world::{Occupied, Presence, World};
use super::{Blocker, Choice, ReserveError};
use crate::model::{Caller, Host, Lease, LeaseName, Port, Project, Protocol, Reservation};
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
    /// Who uses the port now: the port of a name usually has its own server on it. A port that portkeeper chose is unused.
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

pub(super) fn grant(
    transaction: &mut Transaction,
    world: &impl World,
    requests: &[Request],
) -> Result<Outcome, ReserveError> {
    let collected = collect_cheaply(transaction, world);
    for project in projects(requests) {
        follow_moved_folder(transaction, world, project);
    }
    let granted = serve(transaction, world, requests)?;
    Ok(Outcome { granted, collected, notices: transaction.notices().to_vec() })
}

/// The projects of the names that are asked for: nearly always one.
fn projects(requests: &[Request]) -> Vec<&Arc<Project>> {
    let leases = requests.iter().map(|request| &request.lease);
    let mut projects: Vec<_> = leases
        .filter_map(|lease| match lease {
            Lease::Named(name) => name.project.as_ref(),
            _ => None,
        })
        .collect();
    projects.dedup();
    projects
}

/// The names of a folder that was moved learn where it is now. Otherwise the next collection would take those that nobody asks
/// for in the new place.
fn follow_moved_folder(transaction: &mut Transaction, world: &impl World, project: &Arc<Project>) {
    let moved = |old: &Arc<Project>| {
        !Arc::ptr_eq(old, project) && old.has_moved_to(project) && world.presence(old) != Presence::There
    };
    for index in 0..transaction.reservations().len() {
        let reservation = &transaction.reservations()[index];
        let Some(name) = reservation.name() else { continue };
        if name.project.as_ref().is_some_and(moved) {
            let lease = Lease::Named(LeaseName { project: Some(Arc::clone(project)), ..name.clone() });
            let reservation = Reservation { lease, ..reservation.clone() };
            transaction.replace(index, reservation);
        }
    }
}

/// Finds or chooses a port for each request.
pub(super) fn serve(
    transaction: &mut Transaction,
    world: &impl World,
    requests: &[Request],
) -> Result<Vec<Granted>, ReserveError> {
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
            let occupied_by = if request.choice.accepts_used_ports() {
                world.occupied_by(reservation.protocol, reservation.port, &reservation.addresses)
            } else {
                Vec::new()
            };
            let replaced = replaced[index].take();
            granted[index] = Some(Granted { reservation, existed: false, replaced, occupied_by });
        }
    }
    seats.finish();
    Ok(granted.into_iter().flatten().collect())
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
        Lease::Named(name) => find_name(snapshot, world, name),
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

/// Where the registry has the name.
pub(super) fn find_name(snapshot: &Snapshot, world: &impl World, name: &LeaseName) -> Option<usize> {
    snapshot.reservations().iter().position(|reservation| {
        reservation.name().is_some_and(|other| other.is_same(name))
            && world.place().shares_ports_with(&reservation.place)
    })
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
            let provisional = had.provisional && wanted.provisional;
            reservation.lease = Lease::Named(LeaseName { provisional, ..wanted.clone() });
        }
        _ => stamp(&mut reservation, world, &request.lease),
    }
    let Reservation { protocol, port, ref addresses, .. } = reservation;
    let occupied_by = match world.probe(protocol, port, addresses) {
        Ok(PortState::Free | PortState::Lingering) => Vec::new(),
        // Who may not bind the port, such as 80, may still have a name for it.
        Ok(PortState::Taken) | Err(ProbeError::Denied { .. }) => world.occupied_by(protocol, port, addresses),
        Err(error) => return Err(error.into()),
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
    /// The reservations that were there before, by port.
    before: Vec<(Protocol, Port, usize)>,
    /// This transaction's own reservations. They are alive, however short their leases are.
    own: HashMap<(Protocol, Port), Vec<usize>>,
    stale: HashSet<usize>,
    caller: Option<Caller>,
    searches: HashMap<(Choice, Protocol, Vec<IpAddr>), Search>,
}

/// How far the search for one kind of request has come. No port becomes free during a transaction, so the next request of the kind
/// goes on where the last one ended.
struct Search {
    rest: Box<dyn Iterator<Item = Port>>,
    /// Ports that others prefer, and ports on which old connections linger.
    last_resorts: VecDeque<Port>,
    tally: Tally,
}

impl<'a, W: World> Seats<'a, W> {
    fn new(transaction: &'a mut Transaction, world: &'a W) -> Self {
        let (here, all) = (world.place(), transaction.reservations().iter().enumerate());
        let here = all.filter(|(_, reservation)| here.shares_ports_with(&reservation.place));
        let mut before: Vec<_> =
            here.map(|(index, reservation)| (reservation.protocol, reservation.port, index)).collect();
        before.sort_unstable();
        let (own, stale, searches) = (HashMap::new(), HashSet::new(), HashMap::new());
        Self { transaction, world, before, own, stale, caller: world.caller(), searches }
    }

    /// Takes the first free port of the request's choice. Last resorts come last.
    fn choose(&mut self, request: &Request, claimed: &HashSet<(Protocol, Port)>) -> Result<Reservation, ReserveError> {
        let kind = (request.choice, request.protocol, request.addresses.clone());
        let mut search = self.searches.remove(&kind).unwrap_or_else(|| self.search(request));
        let port = self.next_free(request, claimed, &mut search)?;
        let reservation = self.take(request, port);
        search.tally.reserved(&reservation);
        self.searches.insert(kind, search);
        Ok(reservation)
    }

    fn search(&self, request: &Request) -> Search {
        // The policy's ports are asked for when nothing better was found.
        let good = || -> Box<dyn Iterator<Item = Port>> {
            Box::new(self.world.good_ports(request.protocol).collect::<Vec<_>>().into_iter())
        };
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
            if let Some(reservation) = self.live(request, port) {
                search.tally.reserved(reservation);
                continue;
            }
            match self.state(request, port) {
                Ok(PortState::Free) if Some(port) == own || !claimed.contains(&(request.protocol, port)) => {
                    return Ok(port);
                }
                Ok(PortState::Free | PortState::Lingering) => search.last_resorts.push_back(port),
                Ok(PortState::Taken) => search.tally.in_use += 1,
                Err(ProbeError::Denied { .. }) if request.choice.only().is_none() => search.tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(port) = search.last_resorts.pop_front() {
            match self.live(request, port) {
                Some(reservation) => search.tally.reserved(reservation),
                None => return Ok(port),
            }
        }
        Err(self.refusal(request, &search.tally))
    }

    fn state(&self, request: &Request, port: Port) -> Result<PortState, ProbeError> {
        if request.choice.accepts_used_ports() {
            return Ok(PortState::Free);
        }
        self.world.probe(request.protocol, port, &request.addresses)
    }

    /// The live reservation that keeps the port, if one does.
    fn live(&mut self, request: &Request, port: Port) -> Option<&Reservation> {
        let seat = (request.protocol, port);
        let covers = |reservation: &Reservation| reservation.covers(request.protocol, port, &request.addresses);
        let start = self.before.partition_point(|&(protocol, port, _)| (protocol, port) < seat);
        let here = self.before[start..].iter().take_while(|&&(protocol, port, _)| (protocol, port) == seat);
        for &(_, _, index) in here {
            let reservation = &self.transaction.reservations()[index];
            if self.stale.contains(&index) || !covers(reservation) {
                continue;
            }
            if why_stale(reservation, self.world).is_none() {
                return Some(&self.transaction.reservations()[index]);
            }
            self.stale.insert(index);
        }
        let own = self.own.get(&seat)?.iter().map(|&index| &self.transaction.reservations()[index]);
        own.into_iter().find(|reservation| covers(reservation))
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
        self.own.entry((request.protocol, port)).or_default().push(index);
        self.transaction.insert(reservation.clone());
        reservation
    }

    fn refusal(&self, request: &Request, tally: &Tally) -> ReserveError {
        let host = request.host.clone();
        if let Some(port) = request.choice.only() {
            let sockets = || Blocker::Sockets(self.world.occupied_by(request.protocol, port, &request.addresses));
            let by = Box::new(tally.blocker.clone().map_or_else(sockets, Blocker::Reservation));
            return ReserveError::NotFree { port, host, by };
        }
        let name = match &request.lease {
            Lease::Named(name) => Some(name.name.clone()),
            _ => None,
        };
        let &Tally { reserved, in_use, denied, .. } = tally;
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

//! The choice itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::recover::{let_go, recover};
use super::release::{Released, collect_cheaply};
use super::stale::{is_held, why_stale};
use super::world::{Occupied, Presence, World};
use super::{Blocker, Choice, ReserveError};
use crate::hold::{HoldError, Keeper};
use crate::model::{Caller, Guarantee, HoldKind, Host, Lease, LeaseName, Port, Project, Protocol, Reservation};
use crate::probe::{PortState, ProbeError};
use crate::registry::{Notice, RegistryError, Snapshot, Store, Transaction};

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
    /// What sockets shall keep away from the port, if [`World::keeper`] can hold it; none: no sockets, or those that do already.
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
    pub unheld: bool,
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
    hold_through(store, world, |transaction, keeper| grant(transaction, world, keeper, requests))
}

/// Runs a transaction that may hold ports. The holds last if it is committed, and end if it is not.
pub(super) fn hold_through<W: World>(
    store: &impl Store,
    world: &W,
    change: impl FnOnce(&mut Transaction, Option<&dyn Keeper>) -> Result<Outcome, ReserveError>,
) -> Result<Outcome, ReserveError> {
    let keeper = world.keeper();
    let granted = store.transaction(|transaction| change(transaction, keeper));
    let outcome = match (granted, keeper) {
        (Ok(outcome), Some(keeper)) => match keeper.commit() {
            Ok(()) => Ok(outcome),
            Err(error) => {
                undo(store, &outcome)?;
                Err(error.into())
            }
        },
        (granted, _) => granted,
    };
    match &outcome {
        // What does not let go now is found again by its hold file.
        Ok(outcome) => drop(let_go(outcome.collected.iter().map(|collected| &collected.reservation), world)),
        Err(_) => keeper.into_iter().for_each(Keeper::cancel),
    }
    outcome
}

/// Says what [`reserve`] would do now, and changes nothing.
///
/// # Errors
/// [`ReserveError`].
pub fn rehearse(store: &impl Store, world: &impl World, requests: &[Request]) -> Result<Outcome, ReserveError> {
    grant(&mut Transaction::rehearse(store.snapshot()?), world, None, requests)
}

/// The holder gave up when all was written: nothing is held, so nothing new is reserved.
fn undo(store: &impl Store, outcome: &Outcome) -> Result<(), RegistryError> {
    store.transaction(|transaction| {
        for Granted { reservation, existed, newly_held, .. } in &outcome.granted {
            if !existed {
                transaction.remove(|other| other.was_made_with(reservation));
            } else if *newly_held
                && let Some(index) =
                    transaction.reservations().iter().position(|other| other.was_made_with(reservation))
            {
                transaction.replace(index, Reservation { hold: None, ..reservation.clone() });
            }
        }
        Ok(())
    })
}

pub(super) fn grant(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn Keeper>,
    requests: &[Request],
) -> Result<Outcome, ReserveError> {
    let recovered = recover(transaction, world);
    let collected = collect_cheaply(transaction, world);
    for project in projects(requests) {
        follow_moved_folder(transaction, world, project);
    }
    let granted = serve(transaction, world, keeper, requests)?;
    let mut notices = transaction.notices().to_vec();
    notices.extend((recovered > 0).then_some(Notice::FromHolders { reservations: recovered }));
    Ok(Outcome { granted, collected, notices })
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
    keeper: Option<&dyn Keeper>,
    requests: &[Request],
) -> Result<Vec<Granted>, ReserveError> {
    let mut granted: Vec<Option<Granted>> = vec![None; requests.len()];
    let mut replaced: Vec<Option<Reservation>> = vec![None; requests.len()];
    for (index, request) in requests.iter().enumerate() {
        match known(transaction, world, request) {
            Some(known) if fits(&transaction.reservations()[known], request) => {
                granted[index] = Some(renew(transaction, world, keeper, known, request)?);
            }
            Some(known) => {
                let mut position = 0..;
                replaced[index] = transaction.remove(|_| position.next() == Some(known)).pop();
            }
            None => {}
        }
    }
    let mut seats = Seats::new(transaction, world, keeper);
    // Ports that requests still to be served prefer: nobody else takes one while there is another. What several prefer, each of
    // them may take.
    let waiting = requests.iter().zip(&granted).filter(|(_, granted)| granted.is_none());
    let claimed: HashSet<_> = waiting.filter_map(|(request, _)| preferred(request)).collect();
    for index in order(requests) {
        if granted[index].is_none() {
            let request = &requests[index];
            let reservation = seats.choose(request, &claimed)?;
            let held = keeper.is_some() && request.hold.is_some();
            let occupied_by = if !held && request.choice.accepts_used_ports() {
                world.occupied_by(reservation.protocol, reservation.port, &reservation.addresses)
            } else {
                Vec::new()
            };
            let replaced = replaced[index].take();
            let (existed, unheld, newly_held) = (false, false, held);
            granted[index] = Some(Granted { reservation, existed, replaced, held, unheld, newly_held, occupied_by });
        }
    }
    seats.finish();
    let mut granted: Vec<_> = granted.into_iter().flatten().collect();
    if let Some(keeper) = keeper {
        hold(transaction, keeper, &mut granted)?;
    }
    Ok(granted)
}

/// Makes one hold for everything that was claimed on the way.
fn hold(transaction: &mut Transaction, keeper: &dyn Keeper, granted: &mut [Granted]) -> Result<(), HoldError> {
    let mut held: Vec<_> = granted.iter_mut().filter(|granted| granted.newly_held).collect();
    if held.is_empty() {
        return Ok(());
    }
    let mut reservations: Vec<_> = held.iter().map(|granted| granted.reservation.clone()).collect();
    keeper.begin(&mut reservations)?;
    for (granted, reservation) in held.iter_mut().zip(reservations) {
        if let Some(index) = transaction.reservations().iter().position(|other| *other == granted.reservation) {
            transaction.replace(index, reservation.clone());
        }
        granted.reservation = reservation;
    }
    Ok(())
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
    keeper: Option<&dyn Keeper>,
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
    let newly_held = match (keeper, request.hold) {
        (Some(keeper), Some(kind)) => rehold(world, keeper, old, kind)?,
        _ => false,
    };
    let held = newly_held || is_held(old, world);
    let unheld = !held && keeper.is_some() && request.hold.is_some();
    let occupied_by = if newly_held { Vec::new() } else { users(&reservation, world)? };
    transaction.replace(index, reservation.clone());
    Ok(Granted { reservation, existed: true, replaced: None, held, unheld, newly_held, occupied_by })
}

/// Sees to it that a known reservation is held in this way. True when that takes a new hold: false when its hold is as it should be,
/// when the program that it is for has the sockets itself, and when somebody uses the port.
fn rehold(
    world: &impl World,
    keeper: &dyn Keeper,
    reservation: &Reservation,
    kind: HoldKind,
) -> Result<bool, ReserveError> {
    match &reservation.hold {
        Some(hold) if is_held(reservation, world) => {
            let lasting = reservation.name().is_some() && hold.kind == kind;
            if lasting || hold.file.is_none() {
                return Ok(false);
            }
            keeper.copy(reservation, kind)?;
            Ok(true)
        }
        _ => {
            let Reservation { protocol, port, ref addresses, .. } = *reservation;
            Ok(keeper.claim(kind, protocol, port, addresses, true)? == PortState::Free)
        }
    }
}

/// Who uses a reservation's port, other than its own hold.
pub(super) fn users(reservation: &Reservation, world: &impl World) -> Result<Vec<Occupied>, ProbeError> {
    let Reservation { protocol, port, ref addresses, .. } = *reservation;
    let mut users = match world.probe(protocol, port, addresses) {
        Ok(PortState::Free | PortState::Lingering) => Vec::new(),
        // Who may not bind the port, such as 80, may still have a name for it.
        Ok(PortState::Taken) | Err(ProbeError::Denied { .. }) => world.occupied_by(protocol, port, addresses),
        Err(error) => return Err(error),
    };
    if is_held(reservation, world) {
        let holder = reservation.hold.as_ref().map(|hold| hold.holder.pid);
        users.retain(|user| user.pid != holder);
    }
    Ok(users)
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
    keeper: Option<&'a dyn Keeper>,
    by_port: HashMap<(Protocol, Port), Vec<usize>>,
    stale: HashSet<usize>,
    /// Where this transaction's own reservations begin. They are alive, however short their leases are.
    own: usize,
    caller: Option<Caller>,
    searches: HashMap<(Choice, Protocol, Vec<IpAddr>, Option<HoldKind>), Search>,
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
    fn new(transaction: &'a mut Transaction, world: &'a W, keeper: Option<&'a dyn Keeper>) -> Self {
        let mut by_port: HashMap<_, Vec<_>> = HashMap::new();
        for (index, reservation) in transaction.reservations().iter().enumerate() {
            if world.place().shares_ports_with(&reservation.place) {
                by_port.entry((reservation.protocol, reservation.port)).or_default().push(index);
            }
        }
        let own = transaction.reservations().len();
        let (stale, searches) = (HashSet::new(), HashMap::new());
        Self { transaction, world, keeper, by_port, stale, own, caller: world.caller(), searches }
    }

    /// Takes the first free port of the request's choice. Last resorts come last.
    fn choose(&mut self, request: &Request, claimed: &HashSet<(Protocol, Port)>) -> Result<Reservation, ReserveError> {
        let kind = (request.choice, request.protocol, request.addresses.clone(), request.hold);
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
        while let Some(port) = search.rest.next() {
            if let Some(reservation) = self.live(request, port) {
                search.tally.reserved(reservation);
                continue;
            }
            if Some(port) != own && claimed.contains(&(request.protocol, port)) {
                search.last_resorts.push_back(port);
                continue;
            }
            match self.is_to_be_had(request, port, false) {
                Ok(PortState::Free) => return Ok(port),
                Ok(PortState::Lingering) => search.last_resorts.push_back(port),
                Ok(PortState::Taken) => search.tally.in_use += 1,
                Err(ProbeError::Denied { .. }) if request.choice.only().is_none() => search.tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        while let Some(port) = search.last_resorts.pop_front() {
            if let Some(reservation) = self.live(request, port) {
                search.tally.reserved(reservation);
                continue;
            }
            match self.is_to_be_had(request, port, true) {
                Ok(PortState::Free | PortState::Lingering) => return Ok(port),
                Ok(PortState::Taken) => search.tally.in_use += 1,
                Err(ProbeError::Denied { .. }) => search.tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.refusal(request, &search.tally))
    }

    /// Whether the port is free. One that shall be held is held from now on, if it is.
    fn is_to_be_had(&self, request: &Request, port: Port, lingering: bool) -> Result<PortState, ProbeError> {
        let Request { protocol, ref addresses, hold, choice, .. } = *request;
        match (self.keeper, hold) {
            (Some(keeper), Some(kind)) => keeper.claim(kind, protocol, port, addresses, lingering),
            (_, None) if choice.accepts_used_ports() => Ok(PortState::Free),
            _ => self.world.probe(protocol, port, addresses),
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
            hold: None,
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

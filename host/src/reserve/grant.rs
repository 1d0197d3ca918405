//! The choice itself.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use jiff::SignedDuration;

use super::recover::{let_go, recover};
use super::release::{Released, collect_cheaply};
use super::stale::{is_held, why_stale};
use super::world::{Occupied, World};
use super::{Blocker, Choice, ReserveError};
use crate::hold::{HoldError, Keeper};
use crate::model::{Caller, Guarantee, HoldKind, Host, Lease, LeaseName, Port, Protocol, Reservation};
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
    /// Who uses the port now, other than the hold. A new reservation is always unused; the port of a name usually has its own server on it.
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
    let keeper = world.keeper();
    let granted = store.transaction(|transaction| grant(transaction, world, keeper, requests));
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

fn grant(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn Keeper>,
    requests: &[Request],
) -> Result<Outcome, ReserveError> {
    let recovered = recover(transaction, world);
    let collected = collect_cheaply(transaction, world);
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
            granted[index] = Some(Granted {
                reservation,
                existed: false,
                replaced: replaced[index].take(),
                held: keeper.is_some() && request.hold.is_some(),
                unheld: false,
                newly_held: keeper.is_some() && request.hold.is_some(),
                occupied_by: Vec::new(),
            });
        }
    }
    seats.finish();
    let mut granted: Vec<_> = granted.into_iter().flatten().collect();
    if let Some(keeper) = keeper {
        hold(transaction, keeper, &mut granted)?;
    }
    let mut notices = transaction.notices().to_vec();
    notices.extend((recovered > 0).then_some(Notice::FromHolders { reservations: recovered }));
    Ok(Outcome { granted, collected, notices })
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
            reservation.lease = Lease::Named(LeaseName { provisional: had.provisional, ..wanted.clone() });
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
fn users(reservation: &Reservation, world: &impl World) -> Result<Vec<Occupied>, ProbeError> {
    let Reservation { protocol, port, ref addresses, .. } = *reservation;
    let mut users = match world.probe(protocol, port, addresses)? {
        PortState::Taken => world.occupied_by(protocol, port, addresses),
        PortState::Free | PortState::Lingering => Vec::new(),
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
        Self { transaction, world, keeper, by_port, stale: HashSet::new(), own, caller: world.caller() }
    }

    /// Takes the first free port of the request's choice. Ports that others prefer, and ports on which old connections linger,
    /// come last.
    fn choose(&mut self, request: &Request, claimed: &HashSet<(Protocol, Port)>) -> Result<Reservation, ReserveError> {
        let mut tally = Tally::default();
        let mut last_resort = Vec::new();
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
            if Some(port) != own && claimed.contains(&(request.protocol, port)) {
                last_resort.push(port);
                continue;
            }
            match self.is_to_be_had(request, port, false) {
                Ok(PortState::Free) => return Ok(self.take(request, port)),
                Ok(PortState::Lingering) => last_resort.push(port),
                Ok(PortState::Taken) => tally.in_use += 1,
                Err(ProbeError::Denied { .. }) if request.choice.only().is_none() => tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        for port in last_resort {
            match self.is_to_be_had(request, port, true) {
                Ok(PortState::Free | PortState::Lingering) => return Ok(self.take(request, port)),
                Ok(PortState::Taken) => tally.in_use += 1,
                Err(ProbeError::Denied { .. }) => tally.denied += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.refusal(request, tally))
    }

    /// Whether the port is free. One that shall be held is held from now on, if it is.
    fn is_to_be_had(&self, request: &Request, port: Port, lingering: bool) -> Result<PortState, ProbeError> {
        let Request { protocol, ref addresses, hold, .. } = *request;
        match (self.keeper, hold) {
            (Some(keeper), Some(kind)) => keeper.claim(kind, protocol, port, addresses, lingering),
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

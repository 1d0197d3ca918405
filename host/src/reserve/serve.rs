//! What each request is given: the reservations that it has already, or new ones.

use std::collections::HashSet;
use std::net::IpAddr;

use super::ReserveError;
use super::pick::live_on;
use super::request::{Granted, Request};
use super::search::{PortAllocator, stamp};
use super::stale::is_held;
use super::world::{Occupied, World};
use crate::hold::{HoldBackend, HoldError};
use crate::model::{HoldKind, Lease, LeaseName, Port, Protocol, Protocols, Reservation, ReservationId};
use crate::probe::{ANYWHERE, PortState, ProbeError};
use crate::registry::{Snapshot, Transaction};

/// How far a request has been served.
#[derive(Default)]
struct Served {
    /// The reservations that it has, one for each protocol.
    granted: Vec<Granted>,
    /// What its name had before.
    replaced: Vec<Reservation>,
    /// What is still to be chosen.
    open: Option<Request>,
}

/// Finds or chooses a port for each request.
pub(super) fn serve(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn HoldBackend>,
    requests: &[Request],
) -> Result<Vec<Granted>, ReserveError> {
    let again = |request| serve_again(transaction, world, keeper, request);
    let mut all = requests.iter().map(again).collect::<Result<Vec<_>, _>>()?;
    let mut seats = PortAllocator::new(transaction, world, keeper);
    // Ports that requests still to be served prefer: no other request takes one while there is another port. What several prefer, each of
    // them may take.
    let claimed: HashSet<_> = all.iter().filter_map(|served| served.open.as_ref()).flat_map(preferred).collect();
    for index in order(&all) {
        if let Some(request) = all[index].open.take() {
            let (reservations, used_elsewhere) = seats.choose(&request, &claimed)?;
            let granted = |reservation| newly_granted(world, keeper.is_some(), &request, reservation, used_elsewhere);
            all[index].granted.extend(reservations.into_iter().map(granted));
        }
    }
    seats.finish();
    let mut granted = in_order(all);
    if let Some(keeper) = keeper {
        hold(transaction, keeper, &mut granted)?;
    }
    Ok(granted)
}

/// Gives the request what it has already, if that still fits, and takes from its name what does not.
fn serve_again(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn HoldBackend>,
    request: &Request,
) -> Result<Served, ReserveError> {
    let known = known(transaction, world, request);
    let staying = staying(transaction, world, request, &known);
    let mut served = Served { open: what_is_missing(transaction, request, &staying), ..Served::default() };
    for &index in &staying {
        served.granted.push(renew(transaction, world, keeper, index, request)?);
    }
    let id = |index: &usize| transaction.reservations()[*index].id;
    let leaving: Vec<ReservationId> = known.iter().filter(|index| !staying.contains(index)).map(id).collect();
    if !leaving.is_empty() {
        served.replaced = transaction.remove(|reservation| leaving.contains(&reservation.id));
    }
    Ok(served)
}

/// Which of the known reservations are as they are asked for: all of them have one port, and it can be had for the other protocols.
fn staying(transaction: &Transaction, world: &impl World, request: &Request, known: &[usize]) -> Vec<usize> {
    let reservation = |index: usize| &transaction.reservations()[index];
    let mut staying: Vec<_> = known.iter().copied().filter(|&index| fits(reservation(index), request)).collect();
    let Some(port) = staying.first().map(|&index| reservation(index).port) else { return staying };
    staying.retain(|&index| reservation(index).port == port);
    let has = |protocol| staying.iter().any(|&index| reservation(index).protocol == protocol);
    let mut missing = request.protocols.iter().filter(|&protocol| !has(protocol));
    if !missing.all(|protocol| can_have(transaction, world, request, protocol, port)) {
        staying.clear();
    }
    staying
}

/// Whether a port that the request has for one protocol can be had for another.
fn can_have(transaction: &Transaction, world: &impl World, request: &Request, protocol: Protocol, port: Port) -> bool {
    let is_free =
        || matches!(world.probe(protocol, port, looked_at(request)), Ok(PortState::Free | PortState::Lingering));
    live_on(transaction, world, protocol, port, &request.addresses).next().is_none()
        && (request.choice.accepts_used_ports() || is_free())
}

/// The request for what its known reservations do not have: all of it, or their port for the other protocol.
fn what_is_missing(snapshot: &Snapshot, request: &Request, staying: &[usize]) -> Option<Request> {
    let Some(&first) = staying.first() else { return Some(request.clone()) };
    let has = |protocol| staying.iter().any(|&index| snapshot.reservations()[index].protocol == protocol);
    let protocols = Protocols::from(request.protocols.iter().find(|&protocol| !has(protocol))?);
    let port = snapshot.reservations()[first].port;
    Some(Request { protocols, choice: request.choice.narrowed_to(port), ..request.clone() })
}

/// What is reported of a new reservation.
fn newly_granted(
    world: &impl World,
    can_hold: bool,
    request: &Request,
    reservation: Reservation,
    used_elsewhere: bool,
) -> Granted {
    let held = can_hold && request.hold.is_some();
    let mut occupied_by = if used_elsewhere || !held && request.choice.accepts_used_ports() {
        world.occupied_by(reservation.protocol, reservation.port, looked_at(request))
    } else {
        Vec::new()
    };
    if held {
        occupied_by.retain(|user| !covers(&reservation, user));
    }
    let (twin_of, replaced) = (None, Vec::new());
    let (existed, hold_failed, newly_held) = (false, false, held);
    Granted { reservation, twin_of, existed, replaced, held, hold_failed, newly_held, occupied_by }
}

/// One reservation for each request, then the twins.
fn in_order(all: Vec<Served>) -> Vec<Granted> {
    let (mut firsts, mut twins) = (Vec::with_capacity(all.len()), Vec::new());
    for Served { mut granted, replaced, .. } in all {
        granted.sort_by_key(|granted| granted.reservation.protocol);
        let mut granted = granted.into_iter();
        let Some(first) = granted.next() else { continue };
        let twin_of = Some(first.reservation.id);
        twins.extend(granted.map(|twin| Granted { twin_of, ..twin }));
        firsts.push(Granted { replaced, ..first });
    }
    firsts.append(&mut twins);
    firsts
}

/// Makes one hold for everything that was claimed on the way.
fn hold(transaction: &mut Transaction, keeper: &dyn HoldBackend, granted: &mut [Granted]) -> Result<(), HoldError> {
    let mut held: Vec<_> = granted.iter_mut().filter(|granted| granted.newly_held).collect();
    if held.is_empty() {
        return Ok(());
    }
    let mut reservations: Vec<_> = held.iter().map(|granted| granted.reservation.clone()).collect();
    keeper.begin(&mut reservations)?;
    for (granted, reservation) in held.iter_mut().zip(reservations) {
        transaction.update(reservation.id, |known| known.clone_from(&reservation));
        granted.reservation = reservation;
    }
    Ok(())
}

/// Requests with few ports to choose from come first, so that those with many don't take them away.
fn order(all: &[Served]) -> Vec<usize> {
    let mut order: Vec<_> = (0..all.len()).collect();
    order.sort_by_key(|&index| all[index].open.as_ref().map(|request| request.choice.breadth()));
    order
}

/// The port that a request would rather have than others, with each of its protocols.
fn preferred(request: &Request) -> impl Iterator<Item = (Protocol, Port)> {
    request
        .choice
        .preferred()
        .into_iter()
        .flat_map(|port| request.protocols.iter().map(move |protocol| (protocol, port)))
}

/// Where the registry has what is asked for again: the same name, or the timed port of the same owner.
fn known(snapshot: &Snapshot, world: &impl World, request: &Request) -> Vec<usize> {
    match &request.lease {
        Lease::Named(name) => find_name(snapshot, world, name).collect(),
        Lease::Timed { .. } => {
            let (Some(port), Some(owner)) = (request.choice.only(), request.owner.as_ref()) else { return Vec::new() };
            let is_it = |reservation: &Reservation| {
                reservation.port == port
                    && reservation.owner.as_ref() == Some(owner)
                    && matches!(reservation.lease, Lease::Timed { .. })
                    && world.place().shares_ports_with(&reservation.place)
                    && fits(reservation, request)
            };
            let of = |protocol| {
                let mut reservations = snapshot.reservations().iter();
                reservations.position(|reservation| reservation.protocol == protocol && is_it(reservation))
            };
            request.protocols.iter().filter_map(of).collect()
        }
        _ => Vec::new(),
    }
}

/// Where the registry has the name: once for each of its protocols.
pub(super) fn find_name(snapshot: &Snapshot, world: &impl World, name: &LeaseName) -> impl Iterator<Item = usize> {
    let all = snapshot.reservations().iter().enumerate();
    let is_it = |reservation: &Reservation| {
        reservation.name().is_some_and(|other| other.is_same(name))
            && world.place().shares_ports_with(&reservation.place)
    };
    all.filter(move |(_, reservation)| is_it(reservation)).map(|(index, _)| index)
}

fn fits(reservation: &Reservation, request: &Request) -> bool {
    request.protocols.contains(reservation.protocol)
        && reservation.addresses == request.addresses
        && request.choice.accepts(reservation.port)
}

/// Brings a known reservation up to date. Its port stays, whichever process listens there.
fn renew(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn HoldBackend>,
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
        (Some(keeper), Some(kind)) => rehold(world, keeper, old, kind.over(old.protocol))?,
        _ => false,
    };
    let held = newly_held || is_held(old, world);
    let hold_failed = !held && keeper.is_some() && request.hold.is_some();
    let occupied_by = if newly_held { Vec::new() } else { users(&reservation, looked_at(request), world)? };
    transaction.replace(index, reservation.clone());
    let (twin_of, replaced) = (None, Vec::new());
    Ok(Granted { reservation, twin_of, existed: true, replaced, held, hold_failed, newly_held, occupied_by })
}

/// Sees to it that a known reservation is held in this way. True when that takes a new hold: false when its hold is as it should be,
/// when the program that it is for has the sockets itself, and when another process uses the port.
fn rehold(
    world: &impl World,
    keeper: &dyn HoldBackend,
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

/// The addresses on which a socket would be in the way of the request's server.
fn looked_at(request: &Request) -> &[IpAddr] {
    if request.choice.is_everywhere() { &ANYWHERE } else { &request.addresses }
}

fn covers(reservation: &Reservation, user: &Occupied) -> bool {
    reservation.covers(reservation.protocol, reservation.port, &[user.address.ip()])
}

/// Who uses a reservation's port on any of the addresses, other than its own hold.
pub(super) fn users(
    reservation: &Reservation,
    addresses: &[IpAddr],
    world: &impl World,
) -> Result<Vec<Occupied>, ProbeError> {
    let Reservation { protocol, port, .. } = *reservation;
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

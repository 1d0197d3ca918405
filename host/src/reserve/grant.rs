//! What each request is given: the reservation that it has already, or a new one.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::ReserveError;
use super::confirm::{is_provisional, withdraw};
use super::recover::{recover, release_hold};
use super::release::collect_cheaply;
use super::request::{Granted, Outcome, Request};
use super::search::{PortAllocator, stamp};
use super::stale::is_held;
use super::unkept::unkept_once;
use super::world::{Occupied, Presence, World};
use crate::hold::{HoldBackend, HoldError};
use crate::model::{HoldKind, Lease, LeaseName, Port, Project, Protocol, Reservation};
use crate::probe::{ANYWHERE, PortState, ProbeError};
use crate::registry::{RegistryError, Snapshot, Store, Transaction};

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
    change: impl FnOnce(&mut Transaction, Option<&dyn HoldBackend>) -> Result<Outcome, ReserveError>,
) -> Result<Outcome, ReserveError> {
    let keeper = world.keeper();
    let granted = store.transaction(|transaction| change(transaction, keeper));
    let outcome = match (granted, keeper) {
        (Ok(outcome), Some(keeper)) => match keeper.commit() {
            Ok(()) => Ok(outcome),
            Err(error) => Err(match undo(store, &outcome) {
                Ok(()) => error.into(),
                Err(undo) => {
                    ReserveError::NotUndone { ports: new_ports(&outcome), error: error.into(), undo: undo.into() }
                }
            }),
        },
        (granted, _) => granted,
    };
    match &outcome {
        // What does not let go now is found again by its hold file.
        Ok(outcome) => drop(release_hold(outcome.collected.iter().map(|collected| &collected.reservation), world)),
        Err(_) => keeper.into_iter().for_each(HoldBackend::cancel),
    }
    outcome
}

/// Says what [`reserve`] would do now, and changes nothing.
///
/// # Errors
/// [`ReserveError`].
pub fn dry_run(store: &impl Store, world: &impl World, requests: &[Request]) -> Result<Outcome, ReserveError> {
    grant(&mut Transaction::dry_run(store.snapshot()?), world, None, requests)
}

/// The holder gave up when all was written: nothing is held, so nothing new is reserved.
fn undo(store: &impl Store, outcome: &Outcome) -> Result<(), RegistryError> {
    store.transaction(|transaction| {
        withdraw(transaction, &outcome.granted, |_| true);
        Ok(())
    })
}

/// The ports that were not reserved before.
fn new_ports(outcome: &Outcome) -> Vec<Port> {
    outcome.granted.iter().filter(|granted| !granted.existed).map(|granted| granted.reservation.port).collect()
}

pub(super) fn grant(
    transaction: &mut Transaction,
    world: &impl World,
    keeper: Option<&dyn HoldBackend>,
    requests: &[Request],
) -> Result<Outcome, ReserveError> {
    let recovered = recover(transaction, world).map_err(RegistryError::from)?;
    let unkept = unkept_once(transaction, world);
    let collected = collect_cheaply(transaction, world);
    for project in projects(requests) {
        follow_moved_directory(transaction, world, project);
    }
    let granted = serve(transaction, world, keeper, requests)?;
    // They are confirmed before anybody hears of them. With none, nobody has anything to confirm.
    if !granted.is_empty() && granted.iter().all(|granted| is_provisional(&granted.reservation)) {
        transaction.defer_sync();
    }
    let mut notices = transaction.notices().to_vec();
    notices.extend(recovered.notices());
    notices.extend(unkept);
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

/// The names of a directory that was moved learn where it is now. Otherwise the next collection would take those that nobody asks
/// for in the new place.
fn follow_moved_directory(transaction: &mut Transaction, world: &impl World, project: &Arc<Project>) {
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
    keeper: Option<&dyn HoldBackend>,
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
    let mut seats = PortAllocator::new(transaction, world, keeper);
    // Ports that requests still to be served prefer: nobody else takes one while there is another. What several prefer, each of
    // them may take.
    let waiting = requests.iter().zip(&granted).filter(|(_, granted)| granted.is_none());
    let claimed: HashSet<_> = waiting.filter_map(|(request, _)| preferred(request)).collect();
    for index in order(requests) {
        if granted[index].is_none() {
            let request = &requests[index];
            let (reservation, used_elsewhere) = seats.choose(request, &claimed)?;
            let held = keeper.is_some() && request.hold.is_some();
            let mut occupied_by = if used_elsewhere || !held && request.choice.accepts_used_ports() {
                world.occupied_by(reservation.protocol, reservation.port, looked_at(request))
            } else {
                Vec::new()
            };
            if held {
                occupied_by.retain(|user| !covers(&reservation, user));
            }
            let replaced = replaced[index].take();
            let (existed, hold_failed, newly_held) = (false, false, held);
            granted[index] =
                Some(Granted { reservation, existed, replaced, held, hold_failed, newly_held, occupied_by });
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
        (Some(keeper), Some(kind)) => rehold(world, keeper, old, kind)?,
        _ => false,
    };
    let held = newly_held || is_held(old, world);
    let hold_failed = !held && keeper.is_some() && request.hold.is_some();
    let occupied_by = if newly_held { Vec::new() } else { users(&reservation, looked_at(request), world)? };
    transaction.replace(index, reservation.clone());
    Ok(Granted { reservation, existed: true, replaced: None, held, hold_failed, newly_held, occupied_by })
}

/// Sees to it that a known reservation is held in this way. True when that takes a new hold: false when its hold is as it should be,
/// when the program that it is for has the sockets itself, and when somebody uses the port.
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

/// The addresses on which somebody would be in the way of the request's server.
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

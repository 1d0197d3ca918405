//! Reserves ports in one transaction: all that are asked for, or none.

use std::sync::Arc;

use super::ReserveError;
use super::confirm::{is_provisional, withdraw};
use super::recover::{recover, release_hold};
use super::release::collect_cheaply;
use super::request::{Outcome, Request, ports};
use super::serve::serve;
use super::unkept::unkept_once;
use super::world::{Presence, World};
use crate::hold::HoldBackend;
use crate::model::{Lease, LeaseName, Port, Project, Reservation};
use crate::registry::{RegistryError, Store, Transaction};

/// Reserves a port for each request, or none at all. What a name gives up for it stays held until [`let_go`](super::let_go): only the
/// caller knows when there is no way back.
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
    ports(outcome.granted.iter().filter(|granted| !granted.existed))
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
    // They are confirmed before they are reported to any caller. With none, there is nothing to confirm.
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

/// The names of a directory that was moved learn where it is now. Otherwise the next collection would take those that are not asked for in
/// the new place.
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

//! Ends reservations: on request, and because they are stale.

use super::stale::{Stale, why_stale};
use super::world::World;
use crate::model::{Lease, Reservation};
use crate::registry::{RegistryError, Snapshot, Store, Transaction};

/// A reservation that was collected, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// The reservation.
    pub reservation: Reservation,
    /// Why.
    pub why: Stale,
}

/// Ends the reservations of this place for which `leaves` is true, and returns them. Those of other places stay: from here
/// nobody can tell what they keep.
///
/// # Errors
/// [`RegistryError`]; then nothing has changed.
pub fn release(
    store: &impl Store,
    world: &impl World,
    mut leaves: impl FnMut(&Reservation) -> bool,
) -> Result<Vec<Reservation>, RegistryError> {
    let here = world.place();
    store.transaction(|transaction| {
        Ok(transaction.remove(|reservation| here.shares_ports_with(&reservation.place) && leaves(reservation)))
    })
}

/// Ends all reservations that are stale.
///
/// # Errors
/// [`RegistryError`]; then nothing has changed.
pub fn collect(store: &impl Store, world: &impl World) -> Result<Vec<Released>, RegistryError> {
    store.transaction(|transaction| Ok(remove_stale(transaction, |reservation| why_stale(reservation, world))))
}

/// What [`collect`] would end now.
#[must_use]
pub fn would_collect(snapshot: &Snapshot, world: &impl World) -> Vec<Released> {
    remove_stale(&mut Transaction::rehearse(snapshot.clone()), |reservation| why_stale(reservation, world))
}

/// Ends the stale ones that are cheap to tell.
pub(super) fn collect_cheaply(transaction: &mut Transaction, world: &impl World) -> Vec<Released> {
    remove_stale(transaction, |reservation| why_stale_cheaply(reservation, world))
}

/// Whether a project's folder is there is not asked: it may lie on a file server that does not answer, and a lock may be held.
pub(super) fn why_stale_cheaply(reservation: &Reservation, world: &impl World) -> Option<Stale> {
    match &reservation.lease {
        Lease::Named(name) if !name.provisional => None,
        _ => why_stale(reservation, world),
    }
}

fn remove_stale(transaction: &mut Transaction, why: impl Fn(&Reservation) -> Option<Stale>) -> Vec<Released> {
    let mut reasons = Vec::new();
    let removed = transaction.remove(|reservation| {
        let reason = why(reservation);
        let stale = reason.is_some();
        reasons.extend(reason);
        stale
    });
    removed.into_iter().zip(reasons).map(|(reservation, why)| Released { reservation, why }).collect()
}

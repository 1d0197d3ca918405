//! Ends reservations: on request, and because they are stale.

use std::collections::HashSet;

use super::recover::{recover, release_hold};
use super::stale::{Stale, is_held, is_network_gone, why_stale};
use super::world::World;
use crate::fs::PathError;
use crate::hold::HoldError;
use crate::model::{Lease, Moment, Reservation};
use crate::registry::{Notice, RegistryError, Snapshot, Store, Transaction};

/// A reservation that was collected, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// The reservation.
    pub reservation: Reservation,
    /// Why.
    pub why: Stale,
}

/// What a call to [`release`] came to.
#[derive(Debug, Default)]
pub struct Release {
    /// What has ended.
    pub released: Vec<Reservation>,
    /// What has not, because its holder did not let go.
    pub refused: Vec<HoldError>,
    /// Holds have ended, but the registry could not be updated.
    pub registry: Option<RegistryError>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

/// What a call to [`collect`] came to.
#[derive(Debug, Default)]
pub struct Collected {
    /// What has ended, and why.
    pub released: Vec<Released>,
    /// What the user should know about the registry.
    pub notices: Vec<Notice>,
}

/// Ends the reservations of this place for which `leaves` is true, with their holds, and those of network namespaces that are gone. Those
/// of other places stay: what they keep cannot be seen from here.
///
/// Holders are asked without the registry's lock, because one that is stuck must not stop all other processes. They are found even when
/// the registry is lost.
///
/// # Errors
/// [`RegistryError`]; then nothing has changed.
pub fn release(
    store: &impl Store,
    world: &impl World,
    mut leaves: impl FnMut(&Reservation) -> bool,
) -> Result<Release, RegistryError> {
    let here = world.place();
    let (mut held, mut notices) = (Vec::new(), Vec::new());
    let first = store.transaction(|transaction| {
        notices = recover_with_notices(transaction, world)?;
        let is_of_here = |each: &Reservation| here.shares_ports_with(&each.place) || is_network_gone(each, world);
        let mut is_meant = |reservation: &Reservation| is_of_here(reservation) && leaves(reservation);
        held =
            transaction.reservations().iter().filter(|each| is_held(each, world) && is_meant(each)).cloned().collect();
        Ok::<_, RegistryError>(transaction.remove(|each| is_meant(each) && !held.contains(each)))
    });
    let (released, registry) = match first {
        Ok(released) => (released, None),
        Err(error) => {
            let Ok(all) = world.held(&HashSet::new()) else { return Err(error) };
            held = all.reservations;
            held.retain(|each| here.shares_ports_with(&each.place) && leaves(each));
            if held.is_empty() {
                return Err(error);
            }
            (Vec::new(), Some(error))
        }
    };
    let mut release = Release { released, registry, refused: Vec::new(), notices };
    if !held.is_empty() {
        end_holds(store, world, held, &mut release);
    }
    Ok(release)
}

/// The other half of a release: first the holders let go, then the registry hears of it.
fn end_holds(store: &impl Store, world: &impl World, mut held: Vec<Reservation>, release: &mut Release) {
    let (kept, refused): (Vec<_>, Vec<_>) = release_hold(&held, world).into_iter().unzip();
    let kept: Vec<_> = kept.concat();
    held.retain(|reservation| !kept.contains(&(reservation.protocol, reservation.port)));
    release.refused = refused;
    if release.registry.is_none() {
        // Only what was seen: another process may have been given a port of these since its holder let go.
        let removed = store.transaction(|transaction| Ok(transaction.remove(|each| held.contains(each))));
        release.registry = removed.err();
    }
    release.released.append(&mut held);
}

/// Ends all reservations that are stale, with what is left of their holds.
///
/// # Errors
/// [`RegistryError`]; then nothing has changed.
pub fn collect(store: &impl Store, world: &impl World) -> Result<Collected, RegistryError> {
    let mut notices = Vec::new();
    let released = store.transaction(|transaction| {
        notices = recover_with_notices(transaction, world)?;
        world.sweep()?;
        let now = world.now();
        Ok::<_, RegistryError>(remove_stale(transaction, |reservation| why_over(reservation, now, world)))
    })?;
    // A holder that does not let go is found again by its file.
    let _ = release_hold(released.iter().map(|released| &released.reservation), world);
    Ok(Collected { released, notices })
}

/// What [`collect`] would end now.
///
/// # Errors
/// The hold files could not be read.
pub fn would_collect(snapshot: &Snapshot, world: &impl World) -> Result<Collected, PathError> {
    let mut rehearsal = Transaction::dry_run(snapshot.clone());
    let unclear = recover(&mut rehearsal, world)?.unclear();
    let notices = snapshot.notices().iter().cloned().chain(unclear).collect();
    let now = world.now();
    Ok(Collected { released: remove_stale(&mut rehearsal, |reservation| why_over(reservation, now, world)), notices })
}

/// As [`recover`]; what there is to say of it, and of the registry.
fn recover_with_notices(transaction: &mut Transaction, world: &impl World) -> Result<Vec<Notice>, PathError> {
    let recovered = recover(transaction, world)?;
    Ok(transaction.notices().iter().cloned().chain(recovered.notices()).collect())
}

/// Why the reservation is no longer alive, if it takes a long look to see that.
fn why_over(reservation: &Reservation, now: Moment, world: &impl World) -> Option<Stale> {
    why_stale(reservation, now, world).or_else(|| is_network_gone(reservation, world).then_some(Stale::NetworkGone))
}

/// Ends the stale ones that are cheap to detect.
pub(super) fn collect_cheaply(transaction: &mut Transaction, world: &impl World) -> Vec<Released> {
    let now = world.now();
    remove_stale(transaction, |reservation| why_stale_cheaply(reservation, now, world))
}

/// Whether a project's directory is there is not asked: it may lie on a file server that does not answer, and a lock may be held.
pub(super) fn why_stale_cheaply(reservation: &Reservation, now: Moment, world: &impl World) -> Option<Stale> {
    match &reservation.lease {
        Lease::Named(name) if !name.provisional => None,
        _ => why_stale(reservation, now, world),
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

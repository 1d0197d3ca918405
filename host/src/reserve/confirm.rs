//! The second half of a reservation whose port is written into files: the files are written between the two.
//!
//! Names are reserved provisionally, which lasts as long as a grace. When the files are there the names are confirmed; when they could not
//! be written the names are abandoned; and when the process dies in between, the grace ends them. A power cut in between may leave nothing
//! of them, for they have not been reported to any caller.

use std::collections::HashSet;

use super::ReserveError;
use super::recover::{Refusal, release_hold};
use super::request::Granted;
use super::world::World;
use super::{Blocker, stale::why_stale};
use crate::model::{Lease, LeaseName, Reservation};
use crate::registry::{RegistryError, Snapshot, Store, Transaction};

/// Makes provisional names lasting, and ends the names that the same config had before and no longer has.
///
/// # Errors
/// [`ReserveError::NotFree`] when writing took so long that another process has a port by now; then nothing has changed.
pub fn confirm(store: &impl Store, world: &impl World, granted: &[Granted]) -> Result<Vec<Reservation>, ReserveError> {
    if granted.is_empty() {
        return Ok(Vec::new());
    }
    let settled = |granted: &Granted| granted.existed && !is_provisional(&granted.reservation);
    if granted.iter().all(settled) && orphans(&store.snapshot()?, world, granted).is_empty() {
        return Ok(Vec::new());
    }
    store.transaction(|transaction| {
        for Granted { reservation, .. } in granted {
            let lasting = confirmed(reservation);
            let same = |other: &Reservation| is_same_name(other, reservation) && other.overlaps(reservation);
            match transaction.reservations().iter().position(same) {
                Some(index) => transaction.replace(index, lasting),
                None => {
                    let rival = |other: &&Reservation| {
                        other.overlaps(reservation) && why_stale(other, world.now(), world).is_none()
                    };
                    if let Some(rival) = transaction.reservations().iter().find(rival) {
                        let by = Box::new(Blocker::Reservation(rival.clone()));
                        let Reservation { port, ref host, .. } = *reservation;
                        return Err(ReserveError::NotFree { port, host: host.clone(), protocol: None, by });
                    }
                    transaction.insert(lasting);
                }
            }
        }
        let leaving = orphans(transaction, world, granted);
        Ok(transaction.remove(|reservation| leaving.contains(reservation)))
    })
}

/// The names that [`confirm`] would end: the config of the granted ones once asked for them, and now does not.
#[must_use]
pub fn orphans(snapshot: &Snapshot, world: &impl World, granted: &[Granted]) -> Vec<Reservation> {
    let wanted: Vec<_> = granted.iter().filter_map(|granted| granted.reservation.name()).collect();
    let Some(LeaseName { project: Some(project), config: Some(config), .. }) = wanted.first() else {
        return Vec::new();
    };
    let kept: HashSet<_> = wanted.iter().map(|wanted| &wanted.name).collect();
    let orphaned = |reservation: &&Reservation| {
        reservation.name().is_some_and(|name| {
            name.config.as_ref() == Some(config)
                && !kept.contains(&name.name)
                && name.project.as_ref().is_some_and(|other| other.is_same(project))
        }) && world.place().sees_ports_of(&reservation.place)
    };
    snapshot.reservations().iter().filter(orphaned).cloned().collect()
}

/// Ends the names that were new and are still provisional, and the new holds, and gives back what they replaced. A name that another
/// process has confirmed meanwhile stays: it is in that process' files.
///
/// # Errors
/// [`RegistryError`].
pub fn abandon(store: &impl Store, world: &impl World, granted: &[Granted]) -> Result<(), RegistryError> {
    undo(store, world, granted, is_provisional)
}

/// Ends what is new, because no caller will learn of it: reservations and holds. What a name had before, it has again; what was there
/// stays.
///
/// # Errors
/// [`RegistryError`].
pub fn give_back(store: &impl Store, world: &impl World, granted: &[Granted]) -> Result<(), RegistryError> {
    undo(store, world, granted, |_| true)
}

/// Ends the holds of what names gave up of their ports, once there is no way back: [`give_back`] gives it back without them.
pub fn let_go(granted: &mut [Granted], world: &impl World) -> Vec<Refusal> {
    let mut given_up: Vec<_> = granted.iter_mut().flat_map(Granted::given_up).collect();
    let refused = release_hold(given_up.iter().map(|old| &**old), world);
    let still_held = |old: &Reservation| refused.iter().any(|(ports, _)| ports.contains(&(old.protocol, old.port)));
    given_up.iter_mut().filter(|old| !still_held(old)).for_each(|old| old.hold = None);
    refused
}

fn undo(
    store: &impl Store,
    world: &impl World,
    granted: &[Granted],
    may_go: impl Fn(&Reservation) -> bool,
) -> Result<(), RegistryError> {
    let held = granted.iter().filter(|granted| granted.newly_held).map(|granted| &granted.reservation);
    let _ = release_hold(held, world);
    if granted.iter().all(|granted| granted.existed && !granted.newly_held && granted.replaced.is_empty()) {
        return Ok(());
    }
    store.transaction(|transaction| {
        withdraw(transaction, granted, may_go);
        Ok(())
    })
}

/// Takes out what is new of these, reservations that `may_go` and holds, and puts back what they replaced.
pub(super) fn withdraw(transaction: &mut Transaction, granted: &[Granted], may_go: impl Fn(&Reservation) -> bool) {
    transaction.defer_sync();
    let new: Vec<_> = granted.iter().filter(|granted| !granted.existed).collect();
    for held in granted.iter().filter(|granted| granted.newly_held) {
        transaction.update(held.reservation.id, |known| known.hold = None);
    }
    transaction.remove(|other| may_go(other) && new.iter().any(|granted| granted.reservation.id == other.id));
    for old in granted.iter().flat_map(|granted| &granted.replaced) {
        if !transaction.reservations().iter().any(|other| other.overlaps(old) || other.disputes_name_of(old)) {
            transaction.insert(old.clone());
        }
    }
}

pub(super) fn is_provisional(reservation: &Reservation) -> bool {
    reservation.name().is_some_and(|name| name.provisional)
}

fn confirmed(reservation: &Reservation) -> Reservation {
    let mut reservation = reservation.clone();
    if let Lease::Named(name) = &mut reservation.lease {
        name.provisional = false;
    }
    reservation
}

fn is_same_name(a: &Reservation, b: &Reservation) -> bool {
    a.name().zip(b.name()).is_some_and(|(a, b)| a.is_same(b))
}

//! Ports that a run finds reserved: taken over from their holders, or bound.

use super::ports::{HeldNow, kind};
use crate::app::{About, CommandError};
use crate::hold::{Claim, HeldPort, claim};
#[cfg(target_os = "linux")]
use crate::model::Lease;
use crate::model::Reservation;
#[cfg(target_os = "linux")]
use crate::os::{self, Liveness};
use crate::registry::FileStore;
#[cfg(target_os = "linux")]
use crate::registry::{RegistryError, Store};
use crate::reserve::{Machine, World};

/// Holds ports that are reserved: takes them over from their holders, or binds them. A holder lets go when all ports are held here: had it
/// done so before one of them failed, its ports would be held by no process.
pub(super) fn held_now(
    store: &FileStore<'static>,
    reservations: impl IntoIterator<Item = Reservation>,
) -> Result<Vec<HeldNow>, CommandError> {
    let held: Vec<_> =
        reservations.into_iter().map(|reservation| copied(store, reservation)).collect::<Result<_, _>>()?;
    take_from_holders(store, &held)?;
    Ok(held)
}

/// The sockets of a reservation, which its holder still has as well; binds them if there is none.
fn copied(store: &FileStore<'static>, reservation: Reservation) -> Result<HeldNow, CommandError> {
    if let Some(held) = from_holder(store, &reservation)? {
        let was_held = reservation.hold.map(|hold| hold.kind);
        return Ok(HeldNow { reservation, held, was_held });
    }
    let Reservation { protocol, port, addresses, .. } = &reservation;
    match claim(kind(*protocol), *protocol, *port, addresses, true)? {
        Claim::Held(held) => Ok(HeldNow { reservation, held, was_held: None }),
        Claim::NotHeld(_) => {
            let users = Machine::here()?.occupied_by(*protocol, *port, addresses);
            let user = users
                .first()
                .map_or_else(|| "something that cannot be seen from here uses it".to_owned(), ToString::to_string);
            let name = reservation.name().map(|name| format!(" of {}", name.name)).unwrap_or_default();
            let in_use = CommandError::no(format_args!("port {port}{name} is in use: {user}"));
            Err(in_use.about(About::Taken(*port, Some(*protocol))))
        }
    }
}

#[cfg(target_os = "linux")]
fn from_holder(store: &FileStore<'static>, reservation: &Reservation) -> Result<Option<HeldPort>, CommandError> {
    use crate::hold::{HoldDirectory, share};

    let directory = HoldDirectory::beside(store.path());
    let Some(hold) = reservation.hold.as_ref() else { return Ok(None) };
    if hold.file.as_ref().is_none_or(|file| directory.liveness(*file) != Liveness::Alive) {
        return Ok(None);
    }
    Ok(share(&directory, hold, &[(reservation.protocol, reservation.port)])?.pop())
}

/// Makes the holders let go of what was copied from them.
#[cfg(target_os = "linux")]
fn take_from_holders(store: &FileStore<'static>, held: &[HeldNow]) -> Result<(), CommandError> {
    use std::io;

    use crate::hold::{HoldDirectory, forget};

    let directory = HoldDirectory::beside(store.path());
    let taken: Vec<_> = held.iter().filter(|held| held.was_held.is_some()).map(|held| &held.reservation).collect();
    if taken.is_empty() {
        return Ok(());
    }
    // The leases must not end with the holders.
    let this = os::process_id(std::process::id())?.ok_or_else(|| io::Error::other("this process cannot see itself"))?;
    lend_lease(store, &taken, &Lease::Process(this))?;
    for (index, reservation) in taken.iter().enumerate() {
        let Some(hold) = &reservation.hold else { continue };
        if let Err(error) = forget(&directory, hold, &[(reservation.protocol, reservation.port)]) {
            lend_lease(store, &taken[index..], &Lease::Held)?;
            return Err(error.into());
        }
    }
    Ok(())
}

/// Gives this lease to those that lasted as long as their holder.
#[cfg(target_os = "linux")]
fn lend_lease(store: &FileStore<'static>, taken: &[&Reservation], lease: &Lease) -> Result<(), RegistryError> {
    let mut ending = taken.iter().filter(|reservation| reservation.lease == Lease::Held).peekable();
    if ending.peek().is_none() {
        return Ok(());
    }
    store.transaction(|transaction| {
        for reservation in ending {
            transaction.update(reservation.id, |known| known.lease = lease.clone());
        }
        Ok(())
    })
}

/// There are no holders to take anything from.
#[cfg(not(target_os = "linux"))]
fn from_holder(_: &FileStore<'static>, _: &Reservation) -> Result<Option<HeldPort>, CommandError> {
    Ok(None)
}

/// Neither are there any that could let go.
#[cfg(not(target_os = "linux"))]
fn take_from_holders(_: &FileStore<'static>, _: &[HeldNow]) -> Result<(), CommandError> {
    Ok(())
}

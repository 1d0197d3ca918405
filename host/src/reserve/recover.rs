//! What holders hold and the registry does not know, and what the registry gives up and holders still hold.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::stale::holder_of;
use super::world::World;
use crate::fs::PathError;
use crate::hold::{HeldByFiles, HoldError};
use crate::model::{Hold, HoldId, Lease, Port, ProcessId, Protocol, Reservation};
use crate::os::Liveness;
use crate::registry::{Notice, Snapshot, Transaction};

/// What [`recover`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// How many reservations it took back.
    pub reservations: usize,
    /// Hold files of living holders that do not say what is held.
    pub unclear: Vec<PathBuf>,
}

impl Recovered {
    /// What the user should know when the transaction is committed.
    pub fn notices(self) -> impl Iterator<Item = Notice> {
        let reservations = self.reservations;
        let taken_back = (reservations > 0).then_some(Notice::FromHolders { reservations });
        taken_back.into_iter().chain(self.unclear())
    }

    /// What the user should know in any case.
    pub fn unclear(self) -> impl Iterator<Item = Notice> {
        self.unclear.into_iter().map(|file| Notice::UnclearHold { file })
    }
}

/// Takes back what a registry that was lost or damaged had about holds: the holders have it in their files.
///
/// # Errors
/// The hold files could not be read.
pub fn recover(transaction: &mut Transaction, world: &impl World) -> Result<Recovered, PathError> {
    if is_former_state(transaction) {
        forget_given_back(transaction, world)?;
    }
    let known = transaction.reservations().iter().filter_map(file_of);
    let HeldByFiles { reservations: held, unclear } = world.held(&known.collect::<HashSet<_>>())?;
    let mut recovered = Recovered { reservations: 0, unclear };
    for mut held in held {
        if !world.place().shares_ports_with(&held.place) {
            continue;
        }
        let reservations = transaction.reservations();
        match reservations.iter().position(|known| known.overlaps(&held)) {
            // The hold was the registry's last change, and its former state is from before.
            Some(index) if holder_of(&reservations[index], world) != Some(Liveness::Alive) => {
                let known = Reservation { hold: held.hold, ..reservations[index].clone() };
                transaction.replace(index, known);
            }
            Some(_) => continue,
            None => {
                // The name may have another port by now. Then this one is only its holder's.
                if reservations.iter().any(|known| known.disputes_name_of(&held)) {
                    held.lease = Lease::Held;
                }
                transaction.insert(held);
            }
        }
        recovered.reservations += 1;
    }
    Ok(recovered)
}

/// Whether the registry's last change is lost, so that it may know of holds that were given back since.
fn is_former_state(snapshot: &Snapshot) -> bool {
    snapshot.notices().iter().any(|notice| matches!(notice, Notice::Recovered { .. } | Notice::Missing { .. }))
}

/// Forgets the holds that holders which live have let go of: their files list others, and not these. What was only held is no more.
fn forget_given_back(transaction: &mut Transaction, world: &impl World) -> Result<(), PathError> {
    let HeldByFiles { reservations: held, unclear } = world.held(&HashSet::new())?;
    if !unclear.is_empty() {
        return Ok(());
    }
    let is_given_back = |known: &Reservation| {
        let mut of_file =
            held.iter().filter(|held| file_of(known).is_some() && file_of(held) == file_of(known)).peekable();
        let is_listed = |held: &Reservation| (held.protocol, held.port) == (known.protocol, known.port);
        of_file.peek().is_some() && !of_file.any(is_listed)
    };
    transaction.remove(|known| known.lease == Lease::Held && is_given_back(known));
    let given_back: Vec<_> =
        transaction.reservations().iter().filter(|known| is_given_back(known)).map(|known| known.id).collect();
    for id in given_back {
        transaction.update(id, |known| known.hold = None);
    }
    Ok(())
}

/// Ports whose holder did not let go, and why.
pub type Refusal = (Vec<(Protocol, Port)>, HoldError);

/// Ends the holds of reservations that are no more, each holder asked once. What a holder that has ended left behind is removed.
pub fn release_hold<'a>(reservations: impl IntoIterator<Item = &'a Reservation>, world: &impl World) -> Vec<Refusal> {
    type Ports = Vec<(Protocol, Port)>;
    let mut holders: HashMap<(Option<HoldId>, ProcessId), (&Hold, Ports)> = HashMap::new();
    for reservation in reservations {
        let Some(hold) = &reservation.hold else { continue };
        // A program that held for itself and has ended left nothing.
        if hold.file.is_some() || holder_of(reservation, world) != Some(Liveness::Ended) {
            let (_, ports) = holders.entry((hold.file, hold.holder)).or_insert((hold, Vec::new()));
            ports.push((reservation.protocol, reservation.port));
        }
    }
    let ask = |(hold, ports): (&Hold, Ports)| world.release_hold(hold, &ports).err().map(|error| (ports, error));
    holders.into_values().filter_map(ask).collect()
}

fn file_of(reservation: &Reservation) -> Option<HoldId> {
    reservation.hold?.file
}

//! What a `portkeeper run` that was killed has left running.
//!
//! Its port is kept no longer, and its reservation ends with the next command that collects; so that command says it.

use super::stale::holder_of;
use super::world::{Occupied, World};
use crate::model::{Lease, Reservation};
use crate::os::{Liveness, inspect};
use crate::registry::{Notice, Transaction};

/// What still runs, though the program that kept its port by itself has ended without giving it back.
#[must_use]
pub fn unkept(reservations: &[Reservation], world: &impl World) -> Vec<Notice> {
    let lost = reservations.iter().filter(|reservation| has_lost_its_keeper(reservation, world));
    lost.filter_map(|reservation| notice(reservation, world)).collect()
}

/// The same, once: what outlives the one that kept it (a name, and the port of a command that runs) forgets that one.
pub(super) fn unkept_once(transaction: &mut Transaction, world: &impl World) -> Vec<Notice> {
    let is_lost = |reservation: &&Reservation| has_lost_its_keeper(reservation, world);
    let lost: Vec<_> = transaction.reservations().iter().filter(is_lost).cloned().collect();
    let outlives = |lease: &Lease| matches!(lease, Lease::Named(_) | Lease::Process(_));
    for reservation in lost.iter().filter(|reservation| outlives(&reservation.lease)) {
        transaction.update(reservation.id, |known| known.hold = None);
    }
    unkept(&lost, world)
}

/// A hold without a file is of a program that holds for itself, and says so when it ends as it should.
fn has_lost_its_keeper(reservation: &Reservation, world: &impl World) -> bool {
    reservation.hold.as_ref().is_some_and(|hold| hold.file.is_none())
        && world.place().shares_ports_with(&reservation.place)
        && holder_of(reservation, world) == Some(Liveness::Ended)
}

fn notice(reservation: &Reservation, world: &impl World) -> Option<Notice> {
    let Reservation { protocol, port, ref addresses, .. } = *reservation;
    let user = world.occupied_by(protocol, port, addresses).first().map(Occupied::to_string);
    let child = || match &reservation.lease {
        Lease::Process(process) if world.liveness(process) == Liveness::Alive => {
            let command = inspect::command(process.pid).unwrap_or_default();
            Some(format!("{command} (pid {}) is running", process.pid))
        }
        _ => None,
    };
    let keeper = reservation.hold.as_ref()?.holder.pid;
    Some(Notice::Unkept { port, keeper, left: user.or_else(child)? })
}

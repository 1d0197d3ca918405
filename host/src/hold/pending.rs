//! The files of a holder that is about to be: they vanish again unless it comes to life.

use std::os::fd::OwnedFd;

use super::channel::{Begin, Until, control_socket};
use super::{HoldDirectory, HoldError};
use crate::fs::{Lock, PathContext};
use crate::model::{Hold, HoldId, Lease, ProcessId, Reservation};

/// A locked hold file and a control socket. Dropped, both are removed.
#[derive(Debug)]
pub(super) struct PendingHold {
    directory: HoldDirectory,
    id: HoldId,
    until: Until,
    /// None once the holder has them.
    belongings: Option<(Lock, OwnedFd)>,
}

impl PendingHold {
    /// Makes the files of a new holder, and sets the `hold` of the reservations, which all have the same lease. Only under the
    /// registry's lock.
    pub(super) fn prepare(
        directory: &HoldDirectory,
        holder: ProcessId,
        reservations: &mut [Reservation],
        kinds: impl IntoIterator<Item = crate::model::HoldKind>,
    ) -> Result<Self, HoldError> {
        let id = HoldId::new(fastrand::u64(..));
        for (reservation, kind) in reservations.iter_mut().zip(kinds) {
            reservation.hold = Some(Hold { kind, holder, file: Some(id) });
        }
        let recorded: Vec<_> = reservations.iter().cloned().map(settled).collect();
        let lock = directory.create(id, &recorded)?;
        let until = reservations.first().map_or(Until::Released, until);
        let mut this = Self { directory: directory.clone(), id, until, belongings: None };
        let path = this.directory.socket(this.id);
        this.belongings = Some((lock, control_socket(&path).at(&path)?));
        Ok(this)
    }

    /// What the holder has to know.
    pub(super) fn begin(&self) -> Begin {
        Begin { directory: self.directory.path().as_os_str().to_owned(), id: self.id, until: self.until }
    }

    /// The lock of the file and the control socket.
    pub(super) fn belongings(&self) -> Option<&(Lock, OwnedFd)> {
        self.belongings.as_ref()
    }

    /// The holder lives: the files are its own. Gives up the lock and the control socket.
    pub(super) fn succeed(mut self) -> Option<(Lock, OwnedFd)> {
        self.belongings.take()
    }
}

impl Drop for PendingHold {
    fn drop(&mut self) {
        if self.belongings.is_some() {
            self.directory.remove(self.id);
        }
    }
}

/// A name stays provisional in the registry until its files are written. The hold file is read when the registry is lost, and then
/// nothing would confirm it.
fn settled(mut reservation: Reservation) -> Reservation {
    if let Lease::Named(name) = &mut reservation.lease {
        name.provisional = false;
    }
    reservation
}

/// When the hold of a reservation ends by itself: with its lease.
fn until(reservation: &Reservation) -> Until {
    match &reservation.lease {
        Lease::Timed { length } => Until::SinceBoot(reservation.created_since_boot.saturating_add(*length)),
        Lease::Process(process) => Until::Process(*process),
        Lease::Held | Lease::Grace { .. } | Lease::Named(_) => Until::Released,
    }
}

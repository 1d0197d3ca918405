//! Sockets that go from one holder to another.

use std::cell::RefCell;

use super::client::{forget, share};
use super::{HeldPort, HoldDirectory, HoldError};
use crate::model::{Hold, HoldKind, Reservation};

/// Sockets that were copied from running holds, which still have theirs.
#[derive(Debug)]
pub(super) struct Moving {
    directory: HoldDirectory,
    from: RefCell<Vec<(Hold, Reservation)>>,
}

impl Moving {
    pub(super) fn new(directory: HoldDirectory) -> Self {
        Self { directory, from: RefCell::default() }
    }

    /// Copies the sockets of a reservation's hold. What they keep away does not change yet.
    pub(super) fn copy(&self, reservation: &Reservation, kind: HoldKind) -> Result<HeldPort, HoldError> {
        let what = (reservation.protocol, reservation.port);
        let hold = reservation.hold.ok_or_else(|| HoldError::GaveUp("nothing is held".to_owned()))?;
        let mut copies = share(&self.directory, &hold, &[what])?;
        let copy = copies.pop().ok_or_else(|| HoldError::GaveUp("it sent nothing".to_owned()))?;
        self.from.borrow_mut().push((hold, reservation.clone()));
        Ok(HeldPort { kind, ..copy })
    }

    /// The copies are held: the old holders let go, and from now on the new kinds count.
    pub(super) fn finish(&self, ports: &[HeldPort]) {
        for (hold, reservation) in self.from.take() {
            let what = (reservation.protocol, reservation.port);
            if let Some(held) = ports.iter().find(|held| (held.protocol, held.port) == what) {
                // The option was changed on these very sockets before, so the system has no reason to refuse.
                let _ = held.set_gate(held.kind == HoldKind::Soft);
                // A holder that does not answer keeps the port as well as the new one does; `release` will say so.
                let _ = forget(&self.directory, &hold, &[what]);
            }
        }
    }

    pub(super) fn cancel(&self) {
        self.from.take();
    }
}

//! Holds by this very process: a program that reserves ports for itself, and `--foreground`.

use std::cell::RefCell;

use super::{Claims, HeldPort, HoldBackend, HoldError};
use crate::model::{Hold, HoldKind, Reservation};
use crate::os;

/// Keeps what was claimed in this process, until [`InProcess::take`] hands it on.
#[derive(Debug, Default)]
pub struct InProcess {
    claims: Claims,
    begun: RefCell<Vec<HeldPort>>,
}

impl InProcess {
    /// Nothing is held yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is held, in the order of the reservations.
    #[must_use]
    pub fn take(&self) -> Vec<HeldPort> {
        self.begun.take()
    }
}

impl HoldBackend for InProcess {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    fn copy(&self, reservation: &Reservation, _: HoldKind) -> Result<(), HoldError> {
        let pid = reservation.hold.as_ref().map_or(0, |hold| hold.holder.pid);
        Err(HoldError::InProcess { port: reservation.port, pid })
    }

    /// Where the platform reports nothing about our own process, the sockets are kept all the same.
    fn begin(&self, reservations: &mut [Reservation]) -> Result<(), HoldError> {
        let ports = self.claims.take(reservations);
        let holder = os::process_id(std::process::id())?;
        for (reservation, held) in reservations.iter_mut().zip(&ports) {
            reservation.hold = holder.map(|holder| Hold { kind: held.kind, holder, file: None });
        }
        *self.begun.borrow_mut() = ports;
        Ok(())
    }

    fn commit(&self) -> Result<(), HoldError> {
        Ok(())
    }

    fn cancel(&self) {
        self.claims.clear();
        self.begun.take();
    }
}

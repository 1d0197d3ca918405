//! Holds by this process for others to see: with a hold file and a control socket, as a holder has them.

use std::cell::RefCell;
use std::io;

use super::holder_main::allow_many_files;
use super::moving::Moving;
use super::pending::PendingHold;
use super::{Claims, HeldPort, HoldBackend, HoldDirectory, HoldError, Holder};
use crate::model::{HoldKind, Reservation};
use crate::os;

/// Makes this process a holder of what was claimed.
#[derive(Debug)]
pub struct Foreground {
    directory: HoldDirectory,
    claims: Claims,
    moving: Moving,
    begun: RefCell<Option<(PendingHold, Vec<HeldPort>)>>,
}

impl Foreground {
    /// The hold file will be in the directory.
    #[must_use]
    pub fn new(directory: HoldDirectory) -> Self {
        allow_many_files();
        let moving = Moving::new(directory.clone());
        Self { directory, claims: Claims::default(), moving, begun: RefCell::default() }
    }

    /// The holder, once it is committed; none when nothing was claimed. From here on the signals that end processes end the hold.
    ///
    /// # Errors
    /// What the system says.
    pub fn take_holder(&self) -> io::Result<Option<Holder>> {
        let Some((birth, ports)) = self.begun.take() else { return Ok(None) };
        let begin = birth.begin();
        birth.succeed().map(|(lock, control)| Holder::new(begin, ports, lock, control)).transpose()
    }
}

impl HoldBackend for Foreground {
    fn claims(&self) -> &Claims {
        &self.claims
    }

    fn copy(&self, reservation: &Reservation, kind: HoldKind) -> Result<(), HoldError> {
        self.claims.add(self.moving.copy(reservation, kind)?);
        Ok(())
    }

    fn begin(&self, reservations: &mut [Reservation]) -> Result<(), HoldError> {
        let ports = self.claims.take(reservations);
        let this = os::process_id(std::process::id())?;
        let this = this.ok_or_else(|| HoldError::GaveUp("this process cannot see itself in /proc".to_owned()))?;
        let birth = PendingHold::prepare(&self.directory, this, reservations, ports.iter().map(|held| held.kind))?;
        *self.begun.borrow_mut() = Some((birth, ports));
        Ok(())
    }

    fn commit(&self) -> Result<(), HoldError> {
        if let Some((_, ports)) = &*self.begun.borrow() {
            self.moving.finish(ports);
        }
        Ok(())
    }

    fn cancel(&self) {
        self.claims.clear();
        self.moving.cancel();
        self.begun.take();
    }
}

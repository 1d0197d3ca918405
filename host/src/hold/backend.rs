//! What keeps sockets between a port's choice and its hold.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;

use super::{Claim, HeldPort, HoldError, claim};
use crate::model::{HoldKind, Port, Protocol, Reservation};
use crate::probe::{PortState, ProbeError};

/// Takes sockets while ports are chosen, and makes sure that a process keeps them.
///
/// The order of calls: [`claim`](HoldBackend::claim) and [`copy`](HoldBackend::copy) while ports are chosen, then
/// [`begin`](HoldBackend::begin), all within a transaction of the registry; after it [`commit`](HoldBackend::commit), or
/// [`cancel`](HoldBackend::cancel) if it failed.
pub trait HoldBackend: fmt::Debug {
    /// What was claimed or copied, and is not held yet.
    fn claims(&self) -> &Claims;

    /// Whether the port is free; if so it is held from now on. One on which old connections linger is held only if `lingering`
    /// says so.
    ///
    /// # Errors
    /// As [`crate::probe::probe`].
    fn claim(
        &self,
        kind: HoldKind,
        protocol: Protocol,
        port: Port,
        addresses: &[IpAddr],
        lingering: bool,
    ) -> Result<PortState, ProbeError> {
        Ok(match claim(kind, protocol, port, addresses, lingering)? {
            Claim::Held(held) => {
                self.claims().add(held);
                PortState::Free
            }
            Claim::NotHeld(state) => state,
        })
    }

    /// Lets go of a port that was claimed and is not wanted after all.
    fn unclaim(&self, protocol: Protocol, port: Port) {
        self.claims().remove(protocol, port);
    }

    /// Takes copies of the sockets of a reservation's hold, to keep them in another way. The old holder forgets its own at the
    /// [`commit`](HoldBackend::commit).
    ///
    /// # Errors
    /// [`HoldError`]: the holder does not answer.
    fn copy(&self, reservation: &Reservation, kind: HoldKind) -> Result<(), HoldError>;

    /// Makes a hold for these reservations, whose sockets were claimed or copied before; other sockets are let go. It sets their
    /// `hold`. Should this process die now, the kernel has the ports back.
    ///
    /// # Errors
    /// [`HoldError`]; then nothing is held.
    fn begin(&self, reservations: &mut [Reservation]) -> Result<(), HoldError>;

    /// The reservations are in the registry: from now on the hold lasts as long as they do.
    ///
    /// # Errors
    /// [`HoldError`]; then nothing is held.
    fn commit(&self) -> Result<(), HoldError>;

    /// Lets go of what was claimed and begun.
    fn cancel(&self);
}

/// Sockets that were claimed for ports, some of which will not be chosen after all.
#[derive(Debug, Default)]
pub struct Claims(RefCell<Vec<HeldPort>>);

impl Claims {
    /// One more.
    pub fn add(&self, held: HeldPort) {
        self.0.borrow_mut().push(held);
    }

    /// One less.
    pub fn remove(&self, protocol: Protocol, port: Port) {
        self.0.borrow_mut().retain(|held| (held.protocol, held.port) != (protocol, port));
    }

    /// The sockets of these reservations, in their order. The others are closed.
    #[must_use]
    pub fn take(&self, reservations: &[Reservation]) -> Vec<HeldPort> {
        let mut claimed = self.0.take();
        let of = |reservation: &Reservation| {
            let is_its = |held: &HeldPort| {
                (held.protocol, held.port) == (reservation.protocol, reservation.port)
                    && reservation.covers(held.protocol, held.port, &held.addresses().collect::<Vec<_>>())
            };
            claimed.iter().position(is_its).map(|index| claimed.swap_remove(index))
        };
        reservations.iter().filter_map(of).collect()
    }

    /// Lets go of all.
    pub fn clear(&self) {
        self.0.take();
    }
}

//! A port that a program has reserved, from the guard to the listener.

use std::net::{IpAddr, TcpListener};

use thiserror::Error;

use super::PortRegistry;
use crate::hold::HeldPort;
use crate::model::{Host, Lease, Port, Reservation};
use crate::registry::{RegistryError, Store};
use crate::reserve::{GRACE, World};

/// Why there is no listener on a reserved port.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The system refuses.
    #[error("cannot listen on the reserved port: {}", crate::fs::describe(.0))]
    Listen(std::io::Error),
    /// The registry cannot record that the port is in use.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// A reserved port, released when this is dropped.
///
/// With [`Selection::hold`](super::Selection::hold) it has the sockets that keep the port.
#[derive(Debug)]
pub struct Reserved<'a> {
    pub(super) registry: &'a PortRegistry,
    pub(super) reservation: Reservation,
    pub(super) held: Option<HeldPort>,
    /// The same port for UDP, if it was reserved for both protocols.
    pub(super) udp: Option<Box<Self>>,
    pub(super) kept: bool,
}

impl<'a> Reserved<'a> {
    /// The port.
    #[must_use]
    pub fn port(&self) -> Port {
        self.reservation.port
    }

    /// The host, as it was asked for.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.reservation.host
    }

    /// The reservation.
    #[must_use]
    pub fn reservation(&self) -> &Reservation {
        &self.reservation
    }

    /// The sockets that keep the port; none when it is not held.
    #[must_use]
    pub fn held(&self) -> Option<&HeldPort> {
        self.held.as_ref()
    }

    /// The same port for UDP, if it was reserved for both protocols: from now on a guard of its own. What is not taken stays with this
    /// one, and is kept or released together with it.
    pub fn take_udp(&mut self) -> Option<Reserved<'a>> {
        self.udp.take().map(|udp| *udp)
    }

    /// The listener of the first of the port's addresses, for the default host 127.0.0.1. The others are let go.
    ///
    /// A port that is held has never been free between its choice and this listener. One that is not is bound now, and another process may
    /// have been faster. The reservation lasts for as long as the listener does, as after [`Reserved::keep`].
    ///
    /// # Errors
    /// [`ListenError`]; then the port is released.
    pub fn into_listener(mut self) -> Result<TcpListener, ListenError> {
        if let Some(held) = &mut self.held {
            held.sockets.truncate(1);
        }
        let first = self.reservation.addresses.first().copied();
        let listener = self.listen(first)?.pop();
        listener.ok_or_else(|| ListenError::Listen(std::io::ErrorKind::AddrNotAvailable.into()))
    }

    /// A listener for each of the port's addresses: for the default host both loopback addresses, for a wildcard both families.
    /// Otherwise as [`Reserved::into_listener`].
    ///
    /// # Errors
    /// [`ListenError`]; then the port is released.
    pub fn into_listeners(self) -> Result<Vec<TcpListener>, ListenError> {
        let all = self.reservation.addresses.clone();
        self.listen(all)
    }

    fn listen(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Result<Vec<TcpListener>, ListenError> {
        let port = self.port().get();
        let listeners = match self.held.take() {
            Some(held) => held.into_listeners(),
            None => addresses.into_iter().map(|address| TcpListener::bind((address, port))).collect(),
        };
        let listeners = listeners.map_err(ListenError::Listen)?;
        self.keep()?;
        Ok(listeners)
    }

    /// Lets the reservation outlive this value and this process: while something listens on the port, and for a minute in any case.
    /// What this process holds is let go.
    ///
    /// # Errors
    /// [`RegistryError`]; then it is released as if it had been dropped.
    pub fn keep(mut self) -> Result<(), RegistryError> {
        self.take_udp().map_or(Ok(()), Self::keep)?;
        let machine = self.registry.machine()?;
        self.registry.store.transaction(|transaction| {
            if transaction.find(self.reservation.id).is_some_and(|known| self.is(known)) {
                let now = machine.now();
                transaction.update(self.reservation.id, |known| {
                    known.lease = Lease::Grace { length: GRACE };
                    known.hold = None;
                    (known.created, known.created_since_boot) = (now.wall, now.since_boot);
                });
            }
            Ok::<_, RegistryError>(())
        })?;
        self.kept = true;
        Ok(())
    }

    fn is(&self, other: &Reservation) -> bool {
        (other.id, &other.lease) == (self.reservation.id, &self.reservation.lease)
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        // The sockets first: what is released can be bound.
        self.held = None;
        if !self.kept {
            // A failure cannot be reported from here; the lease ends with this process at the latest.
            let removed = self.registry.store.transaction(|transaction| Ok(transaction.remove(|other| self.is(other))));
            drop::<Result<_, RegistryError>>(removed);
        }
    }
}

//! Takes over reservations that were made elsewhere: each by itself, with the port that it has.

use super::pick::live_on;
use super::request::{Granted, Request};
use super::serve::{find_name, serve};
use super::world::World;
use super::{Blocker, ReserveError};
use crate::model::{Lease, Reservation};
use crate::registry::{Store, Transaction};

/// What became of a reservation that was to be taken over.
#[derive(Debug, Clone, PartialEq)]
pub enum Adopted {
    /// It is new.
    Added(Box<Granted>),
    /// It was here already.
    WasThere,
    /// Something else is here, and stays: the same name with another port, or another reservation of the port.
    InTheWay(Box<Reservation>),
}

/// Takes over reservations, in one transaction. Each request must have one port as its choice.
///
/// # Errors
/// [`ReserveError`]; then nothing has changed. That something is in the way is none.
pub fn adopt(store: &impl Store, world: &impl World, requests: &[Request]) -> Result<Vec<Adopted>, ReserveError> {
    store.transaction(|transaction| requests.iter().map(|request| adopt_one(transaction, world, request)).collect())
}

fn adopt_one(transaction: &mut Transaction, world: &impl World, request: &Request) -> Result<Adopted, ReserveError> {
    if let Some(here) = existing(transaction, world, request) {
        let same = request.choice.only() == Some(here.port);
        return Ok(if same { Adopted::WasThere } else { Adopted::InTheWay(Box::new(here.clone())) });
    }
    match serve(transaction, world, None, std::slice::from_ref(request)) {
        Ok(mut granted) => Ok(Adopted::Added(Box::new(granted.remove(0)))),
        Err(ReserveError::NotFree { port, host, protocol, by }) => match *by {
            Blocker::Reservation(here) => Ok(Adopted::InTheWay(Box::new(here))),
            by @ Blocker::Sockets(_) => Err(ReserveError::NotFree { port, host, protocol, by: Box::new(by) }),
        },
        Err(error) => Err(error),
    }
}

/// What the registry has of it: the same name, or the same port for the same owner.
fn existing<'a>(transaction: &'a Transaction, world: &impl World, request: &Request) -> Option<&'a Reservation> {
    match (&request.lease, request.choice.only()) {
        (Lease::Named(name), _) => {
            find_name(transaction, world, name).next().map(|index| &transaction.reservations()[index])
        }
        (_, Some(port)) => live_on(transaction, world, request.protocols.first(), port, &request.addresses)
            .find(|here| here.owner == request.owner && here.host == request.host),
        _ => None,
    }
}

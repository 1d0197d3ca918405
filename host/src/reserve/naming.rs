//! Ports that are asked for by name.
//!
//! A name that has a port keeps all that it has (port, host, protocol, owner, and the config that it came from) unless something else
//! is asked for.

use std::net::IpAddr;
use std::sync::Arc;

use super::grant::{grant, hold_through};
use super::request::{Granted, Outcome, Request};
use super::serve::{find_name, serve, users};
use super::world::World;
use super::{Blocker, PortSelector, ReserveError};
use crate::model::{HoldKind, Host, Lease, LeaseName, Name, Project, Protocols, Reservation, ReservationId};
use crate::probe::{ANYWHERE, PortState};
use crate::registry::{Snapshot, Store, Transaction};

/// A name that wants its port. What is none is left as the name has it; a new name takes the default.
#[derive(Debug, Clone)]
pub struct NameRequest {
    /// The name.
    pub name: Name,
    /// The project it belongs to; none: the user, in every directory.
    pub project: Option<Arc<Project>>,
    /// The port: by default a good one.
    pub choice: Option<PortSelector>,
    /// The host with its addresses: by default [`NameOptions::host`].
    pub host: Option<(Host, Vec<IpAddr>)>,
    /// The protocols: by default those that the name has, and TCP for a new one.
    pub protocols: Option<Protocols>,
    /// The owner; by default none.
    pub owner: Option<String>,
    /// What sockets shall keep away from the port: by default none, or those that do already.
    pub hold: Option<HoldKind>,
}

/// What holds for all names that are asked for together.
#[derive(Debug, Clone)]
pub struct NameOptions {
    /// The host of new names that name none, with its addresses.
    pub host: (Host, Vec<IpAddr>),
    /// Whether a name that has a port gets another one.
    pub moves: bool,
    /// Whether a port in use is an error.
    pub require_free: bool,
}

/// Finds the port of each name, or reserves one; all or none. Names that have what is asked for are answered without the lock.
///
/// # Errors
/// [`ReserveError`]; then nothing has changed.
pub fn reserve_names(
    store: &impl Store,
    world: &impl World,
    namings: &[NameRequest],
    rules: &NameOptions,
) -> Result<Outcome, ReserveError> {
    let snapshot = store.snapshot()?;
    let is_settled = |naming: &NameRequest| naming.hold.is_none() && is_settled(&snapshot, world, naming);
    if !rules.moves && namings.iter().all(is_settled) {
        let mut rehearsal = Transaction::dry_run(snapshot);
        let requests = requests(&rehearsal, world, namings, rules)?;
        let granted = serve(&mut rehearsal, world, None, &requests)?;
        let outcome = Outcome { granted, collected: Vec::new(), notices: rehearsal.notices().to_vec() };
        if !rehearsal.changed() {
            return if rules.require_free { all_free(world, namings, outcome) } else { Ok(outcome) };
        }
    }
    hold_through(store, world, |transaction, keeper| {
        let requests = requests(transaction, world, namings, rules)?;
        let outcome = grant(transaction, world, keeper, &requests)?;
        if rules.require_free { all_free(world, namings, outcome) } else { Ok(outcome) }
    })
}

/// The names of a project, or with none the user's own, that were reserved in this place; by name, and each for each of its protocols.
#[must_use]
pub fn names_of<'a>(snapshot: &'a Snapshot, world: &impl World, project: Option<&Project>) -> Vec<&'a Reservation> {
    let here = world.place();
    let belongs = |reservation: &&Reservation| {
        reservation.name().is_some_and(|name| name.belongs_to(project)) && here.shares_ports_with(&reservation.place)
    };
    let mut names: Vec<_> = snapshot.reservations().iter().filter(belongs).collect();
    names.sort_by_key(|reservation| (reservation.name().map(|name| &name.name), reservation.protocol));
    names
}

/// Whether the name has a port that will last.
fn is_settled(snapshot: &Snapshot, world: &impl World, naming: &NameRequest) -> bool {
    let lasts = |reservation: &Reservation| reservation.name().is_some_and(|name| !name.provisional);
    let existing = existing(snapshot, world, naming);
    !existing.is_empty() && existing.into_iter().all(lasts)
}

/// What the name has, for each of its protocols.
fn existing<'a>(snapshot: &'a Snapshot, world: &impl World, naming: &NameRequest) -> Vec<&'a Reservation> {
    let name = naming.lease_name(None);
    find_name(snapshot, world, &name).map(|index| &snapshot.reservations()[index]).collect()
}

fn requests(
    snapshot: &Snapshot,
    world: &impl World,
    namings: &[NameRequest],
    rules: &NameOptions,
) -> Result<Vec<Request>, ReserveError> {
    namings.iter().map(|naming| naming.request(&existing(snapshot, world, naming), rules)).collect()
}

fn all_free(world: &impl World, namings: &[NameRequest], outcome: Outcome) -> Result<Outcome, ReserveError> {
    let has_id = |id: ReservationId| outcome.granted.iter().position(|granted| granted.reservation.id == id);
    for (index, Granted { reservation, twin_of, held, .. }) in outcome.granted.iter().enumerate() {
        // Those of the names come first, in their order.
        let naming = &namings[twin_of.and_then(has_id).unwrap_or(index)];
        let Reservation { host, port, protocol, .. } = reservation;
        let addresses = if naming.is_everywhere(host) { &ANYWHERE[..] } else { &reservation.addresses };
        let users = users(reservation, addresses, world)?;
        // What has it may not be seen from here; our own hold may.
        let is_taken = !users.is_empty() || (!held && world.probe(*protocol, *port, addresses)? == PortState::Taken);
        if is_taken {
            let by = Box::new(Blocker::Sockets(users));
            return Err(ReserveError::NotFree {
                port: *port,
                host: host.clone(),
                protocol: twin_of.map(|_| *protocol),
                by,
            });
        }
    }
    Ok(outcome)
}

impl NameRequest {
    fn lease_name(&self, config: Option<String>) -> LeaseName {
        let (name, project) = (self.name.as_str().to_owned(), self.project.clone());
        LeaseName { name, project, config, provisional: false }
    }

    /// Whether the server may listen on every address, because none was given.
    fn is_everywhere(&self, host: &Host) -> bool {
        self.host.is_none() && host.is_default()
    }

    fn request(&self, existing: &[&Reservation], rules: &NameOptions) -> Result<Request, ReserveError> {
        let protocols = existing.iter().map(|reservation| reservation.protocol.into());
        let protocols = protocols.reduce(|all: Protocols, one: Protocols| all.with(one.first()));
        let protocols = self.protocols.or(protocols).unwrap_or_default();
        if let Some(kind) = self.hold.filter(|kind| protocols.iter().any(|protocol| kind.over(protocol) != *kind)) {
            return Err(ReserveError::NotOverUdp(kind));
        }
        let existing = existing.first().copied();
        let had = |reservation: &Reservation| (reservation.host.clone(), reservation.addresses.clone());
        let (host, addresses) = self.host.clone().or_else(|| existing.map(had)).unwrap_or_else(|| rules.host.clone());
        let choice = self.choice.unwrap_or(PortSelector::new(None, None));
        let moves_from = existing.filter(|_| rules.moves).map(|existing| existing.port);
        let choice = if self.is_everywhere(&host) { choice.everywhere() } else { choice };
        let config = existing.and_then(Reservation::name).and_then(|name| name.config.clone());
        Ok(Request {
            host,
            addresses,
            protocols,
            choice: moves_from.map_or(choice, |port| choice.except(port)),
            owner: self.owner.clone().or_else(|| existing?.owner.clone()),
            lease: Lease::Named(self.lease_name(config)),
            hold: self.hold,
        })
    }
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;

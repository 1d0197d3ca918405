//! Ports that are asked for by name.
//!
//! A name that has a port keeps all that it has (port, host, protocol, owner, and the config that it came from) unless something else
//! is asked for.

use std::net::IpAddr;
use std::sync::Arc;

use super::grant::{find_name, grant, hold_through, serve, users};
use super::request::{Granted, Outcome, Request};
use super::world::World;
use super::{Blocker, PortSelector, ReserveError};
use crate::model::{HoldKind, Host, Lease, LeaseName, Name, Project, Protocol, Reservation};
use crate::probe::{ANYWHERE, PortState};
use crate::registry::{Snapshot, Store, Transaction};

/// A name that wants its port. What is none is left as the name has it; a new name takes the default.
#[derive(Debug, Clone)]
pub struct NameRequest {
    /// The name.
    pub name: Name,
    /// Whom it belongs to; none: the user, in every directory.
    pub project: Option<Arc<Project>>,
    /// The port: by default a good one.
    pub choice: Option<PortSelector>,
    /// The host with its addresses: by default [`NameOptions::host`].
    pub host: Option<(Host, Vec<IpAddr>)>,
    /// The protocol: by default TCP.
    pub protocol: Option<Protocol>,
    /// Whom it is for: by default nobody in particular.
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
    /// Whether a port that somebody uses is an error.
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
        let requests = requests(&rehearsal, world, namings, rules);
        let granted = serve(&mut rehearsal, world, None, &requests)?;
        let outcome = Outcome { granted, collected: Vec::new(), notices: rehearsal.notices().to_vec() };
        if !rehearsal.changed() {
            return if rules.require_free { all_free(world, namings, outcome) } else { Ok(outcome) };
        }
    }
    hold_through(store, world, |transaction, keeper| {
        let requests = requests(transaction, world, namings, rules);
        let outcome = grant(transaction, world, keeper, &requests)?;
        if rules.require_free { all_free(world, namings, outcome) } else { Ok(outcome) }
    })
}

/// The names of a project, or with none the user's own, that were reserved in this place; by name.
#[must_use]
pub fn names_of<'a>(snapshot: &'a Snapshot, world: &impl World, project: Option<&Project>) -> Vec<&'a Reservation> {
    let here = world.place();
    let belongs = |reservation: &&Reservation| {
        reservation.name().is_some_and(|name| name.belongs_to(project)) && here.shares_ports_with(&reservation.place)
    };
    let mut names: Vec<_> = snapshot.reservations().iter().filter(belongs).collect();
    names.sort_by_key(|reservation| reservation.name().map(|name| &name.name));
    names
}

/// Whether the name has a port that will last.
fn is_settled(snapshot: &Snapshot, world: &impl World, naming: &NameRequest) -> bool {
    existing(snapshot, world, naming).and_then(Reservation::name).is_some_and(|name| !name.provisional)
}

fn existing<'a>(snapshot: &'a Snapshot, world: &impl World, naming: &NameRequest) -> Option<&'a Reservation> {
    find_name(snapshot, world, &naming.lease_name(None)).map(|index| &snapshot.reservations()[index])
}

fn requests(snapshot: &Snapshot, world: &impl World, namings: &[NameRequest], rules: &NameOptions) -> Vec<Request> {
    namings.iter().map(|naming| naming.request(existing(snapshot, world, naming), rules)).collect()
}

fn all_free(world: &impl World, namings: &[NameRequest], outcome: Outcome) -> Result<Outcome, ReserveError> {
    for (naming, Granted { reservation, held, .. }) in namings.iter().zip(&outcome.granted) {
        let Reservation { host, port, protocol, .. } = reservation;
        let addresses = if naming.is_everywhere(host) { &ANYWHERE[..] } else { &reservation.addresses };
        let users = users(reservation, addresses, world)?;
        // What has it may not be seen from here; our own hold may.
        let is_taken = !users.is_empty() || (!held && world.probe(*protocol, *port, addresses)? == PortState::Taken);
        if is_taken {
            let by = Box::new(Blocker::Sockets(users));
            return Err(ReserveError::NotFree { port: *port, host: host.clone(), by });
        }
    }
    Ok(outcome)
}

impl NameRequest {
    fn lease_name(&self, config: Option<String>) -> LeaseName {
        let (name, project) = (self.name.as_str().to_owned(), self.project.clone());
        LeaseName { name, project, config, provisional: false }
    }

    /// Whether the server may listen on every address, because nobody has said which.
    fn is_everywhere(&self, host: &Host) -> bool {
        self.host.is_none() && host.is_default()
    }

    fn request(&self, existing: Option<&Reservation>, rules: &NameOptions) -> Request {
        let had = |reservation: &Reservation| (reservation.host.clone(), reservation.addresses.clone());
        let (host, addresses) = self.host.clone().or_else(|| existing.map(had)).unwrap_or_else(|| rules.host.clone());
        let choice = self.choice.unwrap_or(PortSelector::new(None, None));
        let moves_from = existing.filter(|_| rules.moves).map(|existing| existing.port);
        let choice = if self.is_everywhere(&host) { choice.everywhere() } else { choice };
        let config = existing.and_then(Reservation::name).and_then(|name| name.config.clone());
        Request {
            host,
            addresses,
            protocol: self.protocol.or(existing.map(|existing| existing.protocol)).unwrap_or_default(),
            choice: moves_from.map_or(choice, |port| choice.except(port)),
            owner: self.owner.clone().or_else(|| existing?.owner.clone()),
            lease: Lease::Named(self.lease_name(config)),
            hold: self.hold,
        }
    }
}

#[cfg(test)]
#[path = "naming_tests.rs"]
mod tests;

//! Chooses ports and leaves it at that: nothing is reserved.

use std::collections::HashMap;
use std::net::IpAddr;

use thiserror::Error;

use super::release::why_stale_cheaply;
use super::search::good_for_all;
use super::world::World;
use super::{Blocker, for_both, for_protocol, in_the_way};
use crate::model::{Port, PortSpec, Protocol, Protocols, Reservation};
use crate::probe::{ANYWHERE, PortState, ProbeError};
use crate::registry::Snapshot;

/// Which ports to pick.
#[derive(Debug, Clone)]
pub struct Pick<'a> {
    /// How many, each once.
    pub count: usize,
    /// Among which.
    pub among: &'a PortSpec,
    /// And not among these.
    pub except: &'a PortSpec,
    /// Whether any of them is as likely as any other; otherwise they come in the order in which they are written, good ports from a
    /// random start.
    pub random: bool,
    /// For which protocols: a port is picked if it is free for all of them.
    pub protocols: Protocols,
    /// On which addresses.
    pub addresses: &'a [IpAddr],
    /// Whether a server may listen on every address of the machine: a socket on any of them is in the way
    /// ([`PortSelector::everywhere`](super::PortSelector::everywhere)).
    pub everywhere: bool,
}

impl Pick<'_> {
    /// The addresses on which a socket would be in the way.
    fn looked_at(&self) -> &[IpAddr] {
        if self.everywhere { &ANYWHERE } else { self.addresses }
    }
}

/// Why there are not enough ports.
#[derive(Debug, Error)]
pub enum PickError {
    /// The kernel cannot be asked.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The one port that would do is taken.
    #[error("port {port} is not free{}: {}", for_protocol(.protocol), in_the_way(.by))]
    NotFree {
        /// The port.
        port: Port,
        /// The protocol for which it is not free, if it was wanted for several.
        protocol: Option<Protocol>,
        /// Who has it.
        by: Box<Blocker>,
    },
    /// Fewer are free than were asked for.
    #[error("{wanted} {} asked for, and {found} of {among} {} free{}: {reserved} reserved, {in_use} in use{}",
        if *.wanted == 1 { "port was" } else { "ports were" },
        if *.found == 1 { "is" } else { "are" }, for_both(*.protocols),
        if *.denied == 0 { String::new() } else { format!(", {denied} denied to this user") })]
    TooFew {
        /// How many were asked for.
        wanted: usize,
        /// How many are free.
        found: usize,
        /// Among which.
        among: PortSpec,
        /// The protocols that they were to be free for.
        protocols: Protocols,
        /// How many are reserved.
        reserved: usize,
        /// How many are not reserved, but in use.
        in_use: usize,
        /// How many this user may not bind.
        denied: usize,
    },
}

impl PickError {
    /// The reservation of the one port that was asked for.
    #[must_use]
    pub fn reserved_by(&self) -> Option<&Reservation> {
        match self {
            Self::NotFree { by, .. } => by.reservation(),
            _ => None,
        }
    }
}

/// Picks ports that are neither reserved nor in use: all that were asked for, or none. Ports with remnants of old connections come last.
///
/// # Errors
/// [`PickError`].
pub fn pick(snapshot: &Snapshot, world: &impl World, pick: &Pick<'_>) -> Result<Vec<Port>, PickError> {
    let reserved = by_port(snapshot, world, pick);
    let is_reserved = |port: Port| reserved.get(&port).is_some_and(|all| live(all, world).is_some());
    let (mut free, mut lingering, mut tally) = (Vec::new(), Vec::new(), Tally::default());
    for port in candidates(world, pick) {
        if free.len() == pick.count {
            break;
        }
        if is_reserved(port) {
            tally.reserved += 1;
            continue;
        }
        match free_for_all(world, pick, port) {
            Ok(PortState::Free) => free.push(port),
            Ok(PortState::Lingering) => lingering.push(port),
            Ok(PortState::Taken) => tally.in_use += 1,
            Err(ProbeError::Denied { .. }) if pick.among.only().is_none() => tally.denied += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let missing = pick.count - free.len();
    free.extend(lingering.into_iter().take(missing));
    if free.len() < pick.count { Err(refusal(&reserved, world, pick, free.len(), &tally)) } else { Ok(free) }
}

/// How the port stands for the protocol that it is least free for.
fn free_for_all(world: &impl World, pick: &Pick<'_>, port: Port) -> Result<PortState, ProbeError> {
    let mut all = PortState::Free;
    for protocol in pick.protocols.iter() {
        match world.probe_from_tables(protocol, port, pick.looked_at())? {
            PortState::Free => {}
            PortState::Lingering => all = PortState::Lingering,
            PortState::Taken => return Ok(PortState::Taken),
        }
    }
    Ok(all)
}

/// The live reservations of the port on any of the addresses, in this place.
pub fn live_on<'a>(
    snapshot: &'a Snapshot,
    world: &impl World,
    protocol: Protocol,
    port: Port,
    addresses: &[IpAddr],
) -> impl Iterator<Item = &'a Reservation> {
    let now = world.now();
    snapshot.reservations().iter().filter(move |reservation| {
        reservation.covers(protocol, port, addresses)
            && world.place().shares_ports_with(&reservation.place)
            && why_stale_cheaply(reservation, now, world).is_none()
    })
}

/// The reservations that a pick may meet, by port.
fn by_port<'a>(snapshot: &'a Snapshot, world: &impl World, pick: &Pick<'_>) -> HashMap<Port, Vec<&'a Reservation>> {
    let mut by_port: HashMap<_, Vec<_>> = HashMap::new();
    for reservation in snapshot.reservations() {
        if world.place().shares_ports_with(&reservation.place)
            && pick.protocols.contains(reservation.protocol)
            && reservation.covers(reservation.protocol, reservation.port, pick.addresses)
        {
            by_port.entry(reservation.port).or_default().push(reservation);
        }
    }
    by_port
}

fn live<'a>(all: &[&'a Reservation], world: &impl World) -> Option<&'a Reservation> {
    let now = world.now();
    all.iter().find(|reservation| why_stale_cheaply(reservation, now, world).is_none()).copied()
}

fn candidates(world: &impl World, pick: &Pick<'_>) -> Vec<Port> {
    let mut ports = pick.among.ports().unwrap_or_else(|| good_for_all(world, pick.protocols));
    ports.retain(|&port| !pick.except.contains(port));
    if pick.random {
        fastrand::shuffle(&mut ports);
    }
    ports
}

#[derive(Default)]
struct Tally {
    reserved: usize,
    in_use: usize,
    denied: usize,
}

fn refusal(
    reserved: &HashMap<Port, Vec<&Reservation>>,
    world: &impl World,
    pick: &Pick<'_>,
    found: usize,
    tally: &Tally,
) -> PickError {
    let &Tally { reserved: count, in_use, denied } = tally;
    match pick.among.only() {
        Some(port) if count + in_use > 0 && pick.count == 1 => {
            let is_taken = |&protocol: &Protocol| {
                matches!(world.probe_from_tables(protocol, port, pick.looked_at()), Ok(PortState::Taken))
            };
            let used = || pick.protocols.iter().find(is_taken).unwrap_or_default();
            let holder = reserved.get(&port).and_then(|all| live(all, world));
            let in_the_way = holder.map_or_else(used, |holder| holder.protocol);
            let sockets = || Blocker::Sockets(world.occupied_by(in_the_way, port, pick.looked_at()));
            let by = Box::new(holder.map_or_else(sockets, |holder| Blocker::Reservation(holder.clone())));
            let protocol = (pick.protocols == Protocols::Both).then_some(in_the_way);
            PickError::NotFree { port, protocol, by }
        }
        _ => {
            let (wanted, among, protocols) = (pick.count, pick.among.clone(), pick.protocols);
            PickError::TooFew { wanted, found, among, protocols, reserved: count, in_use, denied }
        }
    }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
mod tests;

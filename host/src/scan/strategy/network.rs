//! The seam between what a scan decides and what it is made of.

use std::time::Duration;

use super::super::{Address, Mac};
use crate::model::Port;

/// What a scan can do to a network. None of it waits: answers arrive as [`Signal`]s.
pub(in crate::scan) trait Network {
    /// Whether the system reports which hosts answer ARP and Neighbor Discovery. Without that, hosts are found by ICMP and TCP.
    fn sees_neighbours(&self) -> bool;

    /// How many connection attempts may be open at the same time.
    fn capacity(&self) -> usize;

    /// Makes the system ask for the address on its link.
    fn ask(&mut self, address: Address) -> Sent;

    /// Sends an ICMP echo request. Exactly one [`Signal::Echo`] or [`Signal::NoEcho`] follows, if it was sent.
    fn ping(&mut self, address: Address) -> Sent;

    /// Starts to connect. One [`Signal::Verdict`] may follow.
    fn connect(&mut self, address: Address, port: Port, attempt: Attempt) -> Sent;

    /// Ends an attempt that had no verdict. None follows.
    fn abandon(&mut self, attempt: Attempt);
}

/// What became of something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) enum Sent {
    /// It is on its way.
    Yes,
    /// The system has no room for it just now: descriptors, ports, or the neighbor table.
    NotNow,
    /// It cannot be sent there at all.
    Never,
}

/// Names one attempt to connect. A later attempt in the same place has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::scan) struct Attempt {
    /// The place, from 0 up and as low as possible.
    pub(in crate::scan) place: u32,
    /// The number.
    pub(in crate::scan) number: u32,
}

/// What the network says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what only Linux tells"))]
pub(in crate::scan) enum Signal {
    /// The system knows the address' card. A host that was asked has answered, then; of others it proves nothing.
    Cached(Address, Option<Mac>),
    /// The address answered ARP or Neighbor Discovery.
    Neighbour(Address, Option<Mac>),
    /// The system has given up on the address.
    NoNeighbour(Address),
    /// The address answered an echo request after this long.
    Echo(Address, Duration),
    /// It did not.
    NoEcho(Address),
    /// An address that was not asked answered an echo request to all.
    Volunteer(Address),
    /// How an attempt ended.
    Verdict(Attempt, Verdict),
    /// The interface of this number has gone away.
    LinkLost(u32),
}

/// How an attempt to connect ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what only Linux tells"))]
pub(in crate::scan) enum Verdict {
    /// SYN-ACK.
    Open,
    /// RST.
    Closed,
    /// An ICMP error.
    Rejected,
    /// This machine could not reach the address: no host answers for it on the link, or there is no way.
    Unreachable,
}

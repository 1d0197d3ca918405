//! How a port stands, in a word and in a line.

use std::path::Path;

use serde::Serialize;

use super::{Claim, Explanation, Seat, Whose};
use crate::model::Protocol;
use crate::os::inspect::user_text;
use crate::probe::SocketState;
use crate::who::{Ownership, seen_from};

const TABLES_CLOSED: &str = "the kernel's socket tables cannot be read";

/// How a port stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No process has it, and it is not reserved.
    Free,
    /// No process has TCP; one has UDP.
    FreeForTcp,
    /// Only remnants of connections are on it.
    Lingering,
    /// Reserved for this project or user, and no process has it.
    ReservedForYou,
    /// Reserved for another project, and no process has it.
    Reserved,
    /// Reserved for you, and what is there is yours or may be.
    Yours,
    /// portkeeper keeps it for whom it is reserved.
    Kept,
    /// A process listens there, or has bound it.
    Taken,
    /// An outgoing connection started from it.
    InUse,
    /// It cannot be had, and who has it is not to be seen from here.
    Unseen,
    /// Nothing is known of the sockets on it: the kernel's tables cannot be read.
    Unknown,
}

impl Verdict {
    pub(super) fn of(explained: &Explanation) -> Self {
        let mine = explained.claim().map(|claim| !matches!(claim.whose, Whose::Other(_)));
        match (explained.holder(), mine) {
            (Some(seat), _) if seat.is_guard() => Self::Kept,
            (Some(seat), _) if seat.socket.state == SocketState::Connected => Self::InUse,
            (Some(seat), Some(true)) if seat.ownership.is_some_and(|whose| whose != Ownership::Stranger) => Self::Yours,
            (Some(_), _) => Self::Taken,
            (None, _) if explained.unseen => Self::Unseen,
            (None, _) if explained.unread.contains(&explained.protocol()) => Self::Unknown,
            (None, Some(true)) => Self::ReservedForYou,
            (None, Some(false)) => Self::Reserved,
            (None, None) if explained.remnants > 0 => Self::Lingering,
            (None, None) if explained.sockets.is_empty() => Self::Free,
            (None, None) => Self::FreeForTcp,
        }
    }
}

impl Explanation {
    /// The protocol that the verdict is about: UDP only where UDP alone is reserved and no process has TCP, or where it is reserved and UDP
    /// alone is a stranger's.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        if let Some(asked) = self.asked {
            return asked;
        }
        let has = |protocol| {
            self.sockets.iter().any(|seat| seat.socket.protocol == protocol)
                || self.live_claims(protocol).next().is_some()
        };
        let is_strangers = |protocol| {
            let mut seats = self.sockets.iter().filter(|seat| seat.socket.protocol == protocol);
            seats.any(|seat| seat.ownership == Some(Ownership::Stranger))
        };
        let udp_is_claimed = self.live_claims(Protocol::Udp).next().is_some();
        // What is in the way of a port for both protocols matters more than the other half.
        let only_udp_is_lost = || is_strangers(Protocol::Udp) && !is_strangers(Protocol::Tcp);
        if udp_is_claimed && (!has(Protocol::Tcp) || only_udp_is_lost()) { Protocol::Udp } else { Protocol::Tcp }
    }

    /// The reservation that counts: the one that the port's holder is in the way of, else any.
    #[must_use]
    pub fn claim(&self) -> Option<&Claim> {
        let mut claims = self.live_claims(self.protocol());
        match self.holder() {
            Some(seat) => claims.find(|claim| claim.covers(&seat.socket)),
            None => claims.next(),
        }
    }

    fn live_claims(&self, protocol: Protocol) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(move |claim| claim.is_live() && claim.reservation.protocol == protocol)
    }

    /// Whether one reservation has the port for both protocols, and what is so for one is so for the other.
    fn is_reserved_for_both(&self) -> bool {
        let has_socket = |protocol| self.sockets.iter().any(|seat| seat.socket.protocol == protocol);
        let purpose =
            |protocol| self.live_claims(protocol).next().map(|claim| (&claim.whose, claim.reservation.name()));
        let (tcp, udp) = (purpose(Protocol::Tcp), purpose(Protocol::Udp));
        tcp.is_some() && tcp == udp && has_socket(Protocol::Tcp) == has_socket(Protocol::Udp)
    }

    /// The socket that matters most to a user who wants the port: a listener before what is only bound, and of those a
    /// stranger's.
    #[must_use]
    pub fn holder(&self) -> Option<&Seat> {
        let protocol = self.protocol();
        let seats = self.sockets.iter().filter(|seat| seat.socket.protocol == protocol);
        seats.min_by_key(|seat| (seat.is_guard(), seat.socket.state, seat.ownership != Some(Ownership::Stranger)))
    }

    /// How it stands, in a line, for a user in the directory.
    #[must_use]
    pub fn summary(&self, directory: &Path) -> String {
        let port = match self.protocol() {
            Protocol::Tcp if self.is_reserved_for_both() => format!("{} (tcp and udp)", self.port),
            Protocol::Tcp => self.port.to_string(),
            Protocol::Udp => format!("{} (udp)", self.port),
        };
        let who = self.holder().or(self.sockets.first()).map(|seat| describe(seat, directory)).unwrap_or_default();
        let purpose = self.claim().map(|claim| claim.purpose(directory)).unwrap_or_default();
        let though = if purpose.is_empty() { String::new() } else { format!(", though it is reserved for {purpose}") };
        match self.verdict {
            Verdict::Free => format!("{port} is free"),
            Verdict::FreeForTcp => format!("{port} is free for tcp; udp is taken by {who}"),
            Verdict::Lingering => format!("{port} is free, but connections of an earlier server still fade away"),
            Verdict::ReservedForYou => format!("{port} is reserved for {purpose}; no process is using it"),
            Verdict::Reserved => format!("{port} is free, but reserved for {purpose}"),
            Verdict::Yours => format!("{port} is yours: {who} has it, reserved for {purpose}"),
            Verdict::Kept if purpose.is_empty() => format!("{port} is kept by {who}"),
            Verdict::Kept => format!("{port} is kept by {who} for {purpose}"),
            Verdict::Taken => format!("{port} is taken by {who}{though}"),
            Verdict::InUse => format!("{port} is in use by {who} for an outgoing connection{though}"),
            Verdict::Unknown if purpose.is_empty() => format!("what is using {port} is unknown: {TABLES_CLOSED}"),
            Verdict::Unknown => {
                format!("{port} is reserved for {purpose}, and what is using it is unknown: {TABLES_CLOSED}")
            }
            Verdict::Unseen => {
                format!(
                    "{port} cannot be had, and no socket shows why: a firewall rule may forward it to a container{though}"
                )
            }
        }
    }
}

/// `node (pid 4711) in ../shop-2`, with what it does unless it listens.
fn describe(seat: &Seat, directory: &Path) -> String {
    let is_hold = seat.process.as_ref().is_some_and(|process| process.keeper);
    let is_idle = seat.socket.state == SocketState::Bound && !is_hold;
    let does = if is_idle { ", which is bound to it and does not listen" } else { "" };
    let Some(process) = &seat.process else {
        return match seat.socket.uid {
            Some(uid) => format!("a process of user {} that this user may not see{does}", user_text(uid)),
            None => format!("a process that this user may not see{does}"),
        };
    };
    let place = process.project.as_ref().or(process.directory.as_ref());
    // A daemon's directory is the root, which says nothing of where it belongs.
    let place = place.filter(|place| place.as_path() != directory && place.parent().is_some());
    let place = place.map(|place| format!(" in {}", seen_from(place, directory))).unwrap_or_default();
    let container = process.container.as_ref().map(|container| format!(", container {container}")).unwrap_or_default();
    format!("{} (pid {}){place}{container}{does}", process.command, process.pid)
}

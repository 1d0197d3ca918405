//! How a port stands, in a word and in a line.

use std::path::Path;

use serde::Serialize;

use super::{Claim, Explanation, Seat, Whose};
use crate::model::Protocol;
use crate::os::inspect::user_text;
use crate::probe::SocketState;
use crate::who::{Ownership, seen_from};

/// How a port stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nobody has it and nobody has reserved it.
    Free,
    /// Nobody has TCP; UDP is somebody's.
    FreeForTcp,
    /// Only remnants of connections are on it.
    Lingering,
    /// Reserved for this project or user, and nobody is there.
    ReservedForYou,
    /// Reserved for another project, and nobody is there.
    Reserved,
    /// Reserved for you, and what is there is yours or may be.
    Yours,
    /// portkeeper keeps it for whom it is reserved.
    Kept,
    /// A process listens there, or has bound it.
    Taken,
    /// An outgoing connection started from it.
    InUse,
    /// It can't be had, and who has it is not to be seen from here.
    Unseen,
}

impl Verdict {
    pub(super) fn of(explained: &Explanation) -> Self {
        let claim = explained.claim();
        let mine = claim.is_some_and(|claim| !matches!(claim.whose, Whose::Other(_)));
        match explained.holder() {
            Some(seat) if seat.process.as_ref().is_some_and(|process| process.keeper) => Self::Kept,
            Some(seat) if seat.socket.protocol == Protocol::Udp && !explained.is_udp_claimed() => Self::FreeForTcp,
            Some(seat) if seat.socket.state == SocketState::Connected => Self::InUse,
            Some(seat) if mine && seat.ownership.is_some_and(|whose| whose != Ownership::Stranger) => Self::Yours,
            Some(_) => Self::Taken,
            None if explained.unseen => Self::Unseen,
            None if mine => Self::ReservedForYou,
            None if claim.is_some() => Self::Reserved,
            None if explained.remnants > 0 => Self::Lingering,
            None => Self::Free,
        }
    }
}

impl Explanation {
    /// The reservation that counts.
    #[must_use]
    pub fn claim(&self) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.is_live())
    }

    /// The socket that matters most to someone who wants the port: TCP before UDP, a stranger's before one's own.
    #[must_use]
    pub fn holder(&self) -> Option<&Seat> {
        let stranger_first = |seat: &&Seat| seat.ownership != Some(Ownership::Stranger);
        self.sockets
            .iter()
            .min_by_key(|seat| (seat.socket.protocol == Protocol::Udp, seat.socket.state, stranger_first(seat)))
    }

    fn is_udp_claimed(&self) -> bool {
        self.claim().is_some_and(|claim| claim.reservation.protocol == Protocol::Udp)
    }

    /// How it stands, in a line, for someone in the folder.
    #[must_use]
    pub fn summary(&self, folder: &Path) -> String {
        let port = self.port;
        let who = self.holder().map(|seat| describe(seat, folder)).unwrap_or_default();
        let purpose = self.claim().map(|claim| claim.purpose(folder)).unwrap_or_default();
        let reserved =
            if purpose.is_empty() { String::new() } else { format!(", though it is reserved for {purpose}") };
        match self.verdict {
            Verdict::Free => format!("{port} is free"),
            Verdict::FreeForTcp => format!("{port} is free for tcp; udp is taken by {who}"),
            Verdict::Lingering => format!("{port} is free, but connections of an earlier server still fade away"),
            Verdict::ReservedForYou => format!("{port} is reserved for {purpose}, and nobody is there"),
            Verdict::Reserved => format!("{port} is free, but reserved for {purpose}"),
            Verdict::Yours => format!("{port} is yours: {who} has it, reserved for {purpose}"),
            Verdict::Kept if purpose.is_empty() => format!("{port} is kept by {who}"),
            Verdict::Kept => format!("{port} is kept by {who} for {purpose}"),
            Verdict::Taken => format!("{port} is taken by {who}{reserved}"),
            Verdict::InUse => format!("{port} is in use by {who} for an outgoing connection{reserved}"),
            Verdict::Unseen => {
                format!(
                    "{port} can't be had, and no socket shows why: a firewall rule may forward it to a container{reserved}"
                )
            }
        }
    }
}

/// `node (pid 4711) in ../shop-2`, with what it does unless it listens.
fn describe(seat: &Seat, folder: &Path) -> String {
    let does = if seat.socket.state == SocketState::Bound { ", which is bound to it and does not listen" } else { "" };
    let Some(process) = &seat.process else {
        return match seat.socket.uid {
            Some(uid) => format!("a process of user {} that this user may not see{does}", user_text(uid)),
            None => format!("a process that this user may not see{does}"),
        };
    };
    let place = process.project.as_ref().or(process.folder.as_ref());
    let place = place.filter(|place| place.as_path() != folder);
    let place = place.map(|place| format!(" in {}", seen_from(place, folder))).unwrap_or_default();
    let container = process.container.as_ref().map(|container| format!(", container {container}")).unwrap_or_default();
    format!("{} (pid {}){place}{container}{does}", process.command, process.pid)
}

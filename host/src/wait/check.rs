//! One look at a target.

use std::cell::OnceCell;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::http;
use super::{Condition, State, Target, Why};
use crate::model::Protocol;
use crate::probe::{PortState, Processes, SocketState, Sockets, probe};

/// The longest wait for a connection to be taken. Where packets are dropped nobody ever answers.
const CONNECT: Duration = Duration::from_secs(1);

/// The shortest: a look that has no time left is a look all the same.
const LEAST: Duration = Duration::from_millis(100);

/// The longest wait for the answer to a request: the first one may make a server build what it serves.
const ANSWER: Duration = Duration::from_secs(5);

/// One look at several targets. The kernel's tables are read at most once, and only if one of the targets asks for it.
pub(super) struct Check<'a> {
    condition: &'a Condition<'a>,
    left: Option<Duration>,
    sockets: OnceCell<Option<Sockets>>,
}

impl<'a> Check<'a> {
    /// `left` is the time until the deadline.
    pub(super) fn new(condition: &'a Condition<'a>, left: Option<Duration>) -> Self {
        Self { condition, left, sockets: OnceCell::new() }
    }

    /// Whether the target is as wished.
    pub(super) fn at(&self, target: &Target) -> Result<(), Why> {
        match self.condition.state {
            State::Free if self.is_free(target) => Ok(()),
            State::Free => Err(Why::NotFree),
            State::Occupied => self.occupied(target),
        }
    }

    /// The tables first: they are cheap to ask and disturb no server. A port that a firewall forwards stands in none of them. The
    /// last word has the kernel, because older ones don't show sockets that are bound and nothing else (Linux before 6.8).
    fn is_free(&self, target: &Target) -> bool {
        !self.is_bound(target)
            && !target.to_connect().any(|address| self.connect(address).is_some())
            && !is_refused(target)
    }

    /// Whether a socket of this machine has the port, remnants aside.
    fn is_bound(&self, target: &Target) -> bool {
        let local = target.local_addresses();
        !local.is_empty()
            && self.sockets().is_some_and(|sockets| {
                sockets.occupants(target.port(), local).iter().any(|one| one.state != SocketState::Remnant)
            })
    }

    fn occupied(&self, target: &Target) -> Result<(), Why> {
        let mut answering = target.to_connect().filter(|&address| self.connect(address).is_some()).peekable();
        if answering.peek().is_none() || self.is_only_kept(target) {
            return Err(Why::NotBound);
        }
        if let Some(path) = self.condition.http {
            self.answers(target, path, answering)?;
        }
        (self.condition.demand)(target).map_err(Why::Refused)
    }

    /// Whether there is nobody behind the listening sockets but portkeeper. What cannot be seen is somebody.
    fn is_only_kept(&self, target: &Target) -> bool {
        let Some(sockets) = self.sockets().filter(|_| !target.local_addresses().is_empty()) else { return false };
        let mut listening = sockets.occupants(target.port(), target.local_addresses());
        listening.retain(|one| one.state == SocketState::Listening);
        if listening.is_empty() {
            return false;
        }
        let processes = Processes::read();
        listening.iter().all(|one| {
            let sharers = one.inode.map_or(&[][..], |inode| processes.sharers(inode));
            !sharers.is_empty() && sharers.iter().all(|&pid| (self.condition.is_keeper)(pid))
        })
    }

    fn answers(&self, target: &Target, path: &str, addresses: impl Iterator<Item = SocketAddr>) -> Result<(), Why> {
        let mut status = None;
        for address in addresses {
            let answer = self
                .connect(address)
                .and_then(|stream| http::get(stream, &target.authority(), path, self.within(ANSWER)));
            if answer.is_some_and(|status| (200..400).contains(&status)) {
                return Ok(());
            }
            status = status.or(answer);
        }
        Err(Why::Http { path: path.to_owned(), status })
    }

    fn connect(&self, address: SocketAddr) -> Option<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, self.within(CONNECT)).ok()?;
        // A port of the ephemeral range may be given to our own end, which then talks to itself (RFC 9293, 3.5).
        let to_itself = stream.local_addr().ok() == stream.peer_addr().ok();
        (!to_itself).then_some(stream)
    }

    fn within(&self, longest: Duration) -> Duration {
        self.left.map_or(longest, |left| left.clamp(LEAST, longest))
    }

    fn sockets(&self) -> Option<&Sockets> {
        self.sockets.get_or_init(|| Sockets::read(Protocol::Tcp).ok()).as_ref()
    }
}

/// Whether the kernel says that the port is taken on one of this machine's addresses. Of a port that this user may not bind it
/// says nothing.
fn is_refused(target: &Target) -> bool {
    let local = target.local_addresses();
    !local.is_empty() && probe(Protocol::Tcp, target.port(), local).is_ok_and(|state| state == PortState::Taken)
}

//! One look at a target.

use std::cell::OnceCell;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::http::{self, Answer};
use super::{Condition, State, Target, Why};
use crate::model::Protocol;
use crate::probe::{PortState, ProbeError, Processes, SocketState, Sockets, probe};

/// The longest wait for a connection to be accepted. Where packets are dropped no answer ever comes.
const CONNECT: Duration = Duration::from_secs(1);

/// The shortest: a look that has no time left is a look all the same.
const LEAST: Duration = Duration::from_millis(100);

/// The longest wait for the answer to a request: the first one may make a server build what it serves.
const ANSWER: Duration = Duration::from_secs(5);

/// One look at several targets. The kernel's tables are read at most once, and only if one of the targets asks for it.
pub(super) struct Check<'a> {
    condition: &'a Condition<'a>,
    deadline: Option<Instant>,
    sockets: OnceCell<Option<Sockets>>,
}

impl<'a> Check<'a> {
    /// To be over by the deadline.
    pub(super) fn new(condition: &'a Condition<'a>, deadline: Option<Instant>) -> Self {
        Self { condition, deadline, sockets: OnceCell::new() }
    }

    /// Whether the target is in the requested state.
    pub(super) fn at(&self, target: &Target) -> Result<(), Why> {
        if let Some(reason) = target.why_unresolved() {
            return Err(Why::Unresolved(reason.to_owned()));
        }
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
            && !target.to_connect().any(|address| self.connect(address).is_ok())
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
        let path = target.path().or(self.condition.http);
        let mut timed_out = false;
        let mut answering = Vec::new();
        for address in target.to_connect() {
            match self.connect(address) {
                Ok(stream) if self.is_proxied(target) && is_closed_immediately(&stream) => {}
                Ok(_) => {
                    answering.push(address);
                    // Only those are of use that may have to answer a request.
                    if path.is_none() {
                        break;
                    }
                }
                Err(error) => timed_out |= error.kind() == ErrorKind::TimedOut,
            }
        }
        if answering.is_empty() && timed_out && self.is_listened_at(target) {
            return Err(Why::Full);
        }
        if answering.is_empty() || self.is_only_kept(target) {
            return Err(Why::NotBound);
        }
        if let Some(path) = path {
            self.answers(target, path, &answering)?;
        }
        (self.condition.demand)(target).map_err(Why::Refused)
    }

    /// Whether there is no process behind the listening sockets but portkeeper.
    fn is_only_kept(&self, target: &Target) -> bool {
        self.all_listeners(target, self.condition.is_keeper)
    }

    /// Whether what listens passes connections on to a container, in which the server may not be up yet.
    fn is_proxied(&self, target: &Target) -> bool {
        self.all_listeners(target, self.condition.is_container_proxy)
    }

    /// Whether the processes behind all listening sockets are of this kind. What cannot be seen is not.
    fn all_listeners(&self, target: &Target, is_such: &dyn Fn(u32) -> bool) -> bool {
        let Some(sockets) = self.sockets().filter(|_| !target.local_addresses().is_empty()) else { return false };
        let mut listening = sockets.occupants(target.port(), target.local_addresses());
        listening.retain(|one| one.state == SocketState::Listening);
        if listening.is_empty() {
            return false;
        }
        let processes = Processes::read();
        listening.iter().all(|one| {
            let sharers = one.inode.map_or(&[][..], |inode| processes.sharers(inode));
            !sharers.is_empty() && sharers.iter().all(|&pid| is_such(pid))
        })
    }

    /// Whether a socket of this machine listens there, as far as can be seen.
    fn is_listened_at(&self, target: &Target) -> bool {
        let local = target.local_addresses();
        !local.is_empty() && self.sockets().is_some_and(|sockets| sockets.listening(target.port(), local))
    }

    fn answers(&self, target: &Target, path: &str, addresses: &[SocketAddr]) -> Result<(), Why> {
        let mut best = Answer::Nothing;
        for &address in addresses {
            // One limit for all of it: the connection, the request, and an answer that comes byte by byte.
            let deadline = Instant::now() + self.within(ANSWER);
            let answer = match self.connect(address) {
                Ok(stream) => http::get(stream, &target.authority(), path, deadline),
                Err(_) => Answer::Nothing,
            };
            match answer {
                Answer::Status(200..400) => return Ok(()),
                answer if best == Answer::Nothing => best = answer,
                _ => {}
            }
        }
        Err(Why::Http { path: path.to_owned(), answer: best })
    }

    fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&address, self.within(CONNECT))?;
        // A port of the ephemeral range may be given to our own end, which then talks to itself (RFC 9293, 3.5).
        let to_itself = stream.local_addr().ok() == stream.peer_addr().ok();
        if to_itself { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(stream) }
    }

    fn within(&self, longest: Duration) -> Duration {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.map_or(longest, |left| left.clamp(LEAST, longest))
    }

    fn sockets(&self) -> Option<&Sockets> {
        self.sockets.get_or_init(|| Sockets::read(Protocol::Tcp).ok()).as_ref()
    }
}

/// Whether the other side hangs up before it has said or heard anything, as a proxy does that finds no server behind it.
fn is_closed_immediately(stream: &TcpStream) -> bool {
    const PATIENCE: Duration = Duration::from_millis(250);
    let peeked = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.peek(&mut [0]));
    match peeked {
        Ok(read) => read == 0,
        Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
    }
}

/// Whether the kernel says that the port is taken on one of this machine's addresses, or cannot be asked. Of a port that this user may
/// not bind it says nothing.
fn is_refused(target: &Target) -> bool {
    let local = target.local_addresses();
    let refused = || match probe(Protocol::Tcp, target.port(), local) {
        Ok(state) => state == PortState::Taken,
        Err(error) => matches!(error, ProbeError::Failed { .. } | ProbeError::Tables { .. }),
    };
    !local.is_empty() && refused()
}

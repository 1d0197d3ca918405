//! Linux: non-blocking sockets behind one epoll descriptor, which the runtime waits for as a whole.
//!
//! A descriptor for each connection in the runtime's own tables would cost about as much as the connection attempt itself. Here an
//! attempt takes four system calls, and a socket that was refused is used again for the next one.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::socket_error;
use rustix::net::{RecvFlags, connect, connect_unspec, recv};
use socket2::{Domain, Socket, Type};
use tokio::io::unix::AsyncFd;

use super::Started;
use crate::scan::net::options::{bind_to_interface, tell_icmp_errors};
use crate::scan::net::watch::watch;
use crate::scan::strategy::{Attempt, Verdict};

/// Connection attempts under way.
pub(in crate::scan) struct Connects {
    epoll: AsyncFd<OwnedFd>,
    places: Vec<Place>,
    buffer: Vec<Event>,
}

/// One attempt's place, and the socket that stays there.
#[derive(Debug, Default)]
struct Place {
    socket: Option<(Kind, Socket)>,
    attempt: Option<Attempt>,
}

/// What a socket has to have in common with the next attempt to be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    ipv6: bool,
    interface: u32,
}

impl Connects {
    /// # Errors
    /// What the system says: too many open files.
    pub(in crate::scan) fn new() -> io::Result<Self> {
        let epoll = watch(epoll::create(CreateFlags::CLOEXEC)?)?;
        Ok(Self { epoll, places: Vec::new(), buffer: Vec::with_capacity(256) })
    }

    /// Starts to connect, through this interface if it is not 0.
    pub(in crate::scan) fn start(&mut self, to: SocketAddr, interface: u32, attempt: Attempt) -> Started {
        let index = attempt.place as usize;
        if self.places.len() <= index {
            self.places.resize_with(index + 1, Place::default);
        }
        let kind = Kind { ipv6: to.is_ipv6(), interface };
        let place = &mut self.places[index];
        if place.socket.as_ref().is_none_or(|(before, _)| *before != kind) {
            match open(kind, &self.epoll, attempt.place) {
                Ok(socket) => place.socket = Some((kind, socket)),
                Err(error) => return refusal(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
        }
        let Some((_, socket)) = &place.socket else { return Started::NotNow };
        match connect(socket, &to) {
            Err(Errno::INPROGRESS) => {
                place.attempt = Some(attempt);
                Started::Yes
            }
            Ok(()) => {
                place.socket = None;
                Started::Over(Verdict::Open)
            }
            Err(Errno::CONNREFUSED) => Started::Over(place.refused()),
            Err(error) => {
                let rejected = has_icmp_error(socket);
                place.socket = None;
                if rejected { Started::Over(Verdict::Rejected) } else { refusal(error) }
            }
        }
    }

    /// Ends an attempt. A socket that waits for an answer can only be closed, and says nothing when it is.
    pub(in crate::scan) fn abandon(&mut self, attempt: Attempt) {
        let place = &mut self.places[attempt.place as usize];
        if place.attempt == Some(attempt) {
            *place = Place::default();
        }
    }

    /// Waits for verdicts.
    ///
    /// # Errors
    /// What the system says; not to be expected.
    pub(in crate::scan) fn poll(
        &mut self,
        context: &mut Context<'_>,
        verdicts: &mut Vec<(Attempt, Verdict)>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.collect(verdicts)?;
            if !verdicts.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.epoll.poll_read_ready(context))?.clear_ready();
            // What came before the readiness was cleared would not be reported again.
            self.collect(verdicts)?;
        }
    }

    fn collect(&mut self, verdicts: &mut Vec<(Attempt, Verdict)>) -> io::Result<()> {
        self.buffer.clear();
        let now = Duration::ZERO.try_into().ok();
        match epoll::wait(self.epoll.get_ref(), rustix::buffer::spare_capacity(&mut self.buffer), now.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &self.buffer {
            let (data, flags) = (event.data, event.flags);
            let place = usize::try_from(data.u64()).ok().and_then(|index| self.places.get_mut(index));
            verdicts.extend(place.and_then(|place| place.settle(flags)));
        }
        Ok(())
    }
}

impl Place {
    /// What has happened to the attempt, if anything has.
    fn settle(&mut self, flags: EventFlags) -> Option<(Attempt, Verdict)> {
        let attempt = self.attempt?;
        let (_, socket) = self.socket.as_ref()?;
        let verdict = match socket_error(socket) {
            Ok(Err(Errno::CONNREFUSED)) => self.refused(),
            Ok(Ok(())) if flags.intersects(EventFlags::ERR | EventFlags::HUP) => {
                // An old event of the socket's last attempt, or an ICMP error that came while the socket was busy.
                if !has_icmp_error(socket) {
                    return None;
                }
                self.socket = None;
                Verdict::Rejected
            }
            Ok(Ok(())) => {
                self.socket = None;
                Verdict::Open
            }
            _ => {
                let rejected = has_icmp_error(socket);
                self.socket = None;
                if rejected { Verdict::Rejected } else { Verdict::Unreachable }
            }
        };
        self.attempt = None;
        Some((attempt, verdict))
    }

    /// "Connection refused" means an RST, or an ICMP error: then, and only then, it is in the socket's error queue (ip(7),
    /// `IP_RECVERR`). The queue is read after the error, because it is filled before.
    fn refused(&mut self) -> Verdict {
        let Some((_, socket)) = &self.socket else { return Verdict::Unreachable };
        if has_icmp_error(socket) {
            self.socket = None;
            return Verdict::Rejected;
        }
        if connect_unspec(socket).is_err() {
            self.socket = None;
        }
        Verdict::Closed
    }
}

fn has_icmp_error(socket: &Socket) -> bool {
    recv(socket, &mut [0_u8; 1][..], RecvFlags::ERRQUEUE | RecvFlags::DONTWAIT).is_ok()
}

/// What it means that an attempt cannot even begin.
fn refusal(error: Errno) -> Started {
    match error {
        // Descriptors, memory, local ports, the neighbor table.
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN | Errno::ADDRNOTAVAIL => {
            Started::NotNow
        }
        _ => Started::Never,
    }
}

fn open(kind: Kind, epoll: &AsyncFd<OwnedFd>, place: u32) -> io::Result<Socket> {
    let domain = if kind.ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), None)?;
    // Whatever opens is ended with RST immediately, and leaves nothing behind here (socket(7)).
    socket.set_linger(Some(Duration::ZERO))?;
    tell_icmp_errors(&socket, kind.ipv6)?;
    if let Some(interface) = std::num::NonZeroU32::new(kind.interface) {
        bind_to_interface(&socket, interface)?;
    }
    let events = EventFlags::OUT | EventFlags::ET;
    epoll::add(epoll.get_ref(), socket.as_fd(), EventData::new_u64(place.into()), events)?;
    Ok(socket)
}

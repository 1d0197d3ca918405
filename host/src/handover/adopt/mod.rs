//! Adoption: the child's own call of bind(2) is where it gets its port (Linux).
//!
//! The child starts with a seccomp filter that tells us of every bind(2), and waits for the answer. Is it the port, then what we
//! keep is exchanged for the child's socket: it listens already, and early clients wait in its queue. The server does not
//! notice: it goes on to call listen(2), which now only sets the length of the queue. Where the sockets differ, because the server wants
//! another address or family, or where the exchange would be noticed, its own socket joins ours instead, and is what the next server
//! gets.

mod filter;
mod notify;
mod options;
mod remote;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Socket, Type};

use super::kept::{GuardSocket, GuardedPort, Reach, Server};
use super::orphans::answer_orphan_binds;
use super::{HandoverDriver, Method, RunEvent};
use crate::model::Protocol;
use notify::Notification;

pub(crate) use filter::install;
pub(crate) use notify::{Answer, Listener};

/// How long clients wait for a server on the other addresses of a port, once it has one.
const SIBLING: Duration = Duration::from_secs(5);
/// How often it is looked whether servers are still there.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

/// The ports that a child's servers get when they bind them.
#[derive(Debug)]
pub(crate) struct Adoption {
    listener: Listener,
    ports: Vec<GuardedPort>,
    early: bool,
    started: Instant,
    patience: Duration,
    warned: bool,
    /// A thread and its descriptor that has been bound, but was interrupted before it heard of it, and will ask again. Only before
    /// Linux 5.19.
    unheard: Option<(u32, RawFd)>,
}

/// A socket that the child wants to bind.
struct BindRequest {
    notification: Notification,
    pid: u32,
    socket: Socket,
    address: SocketAddr,
    cloexec: bool,
    exchangeable: bool,
}

impl Adoption {
    /// Ready to answer. Without `early` clients wait only for servers that come again, and the first one has its own socket.
    ///
    /// # Errors
    /// What this kernel, or this user, lacks for it, in words.
    pub(crate) fn new(listener: OwnedFd, child: u32, early: bool, patience: Duration) -> Result<Self, String> {
        let listener = Listener::new(listener);
        if !listener.can_replace() {
            return Err("this kernel is older than Linux 5.9".to_owned());
        }
        // Any descriptor will do: the child has its standard streams, and is ours as far as the kernel is concerned, or not.
        match remote::socket(child, 0) {
            Err(errno) if errno != Errno::BADF => Err(format!("this user may not look into the child ({errno})")),
            _ => Ok(Self {
                listener,
                ports: Vec::new(),
                early,
                started: Instant::now(),
                patience,
                warned: false,
                unheard: None,
            }),
        }
    }

    /// Takes the ports over.
    pub(crate) fn keep(&mut self, ports: Vec<GuardedPort>) {
        self.ports = ports;
    }

    fn answer(&mut self, notification: Notification, news: &mut dyn FnMut(RunEvent)) -> Answer {
        let Some(address) = remote::address(&notification) else { return Answer::Continue };
        let mut ports = self.ports.iter().map(|kept| (kept.protocol, kept.port.get()));
        if !ports.any(|(_, port)| port == address.port()) {
            return Answer::Continue;
        }
        let Some(request) = Self::request(notification, address) else { return Answer::Continue };
        // What was read is the thread's own only if it waits still.
        if !self.listener.is_waiting(&notification) {
            return Answer::Continue;
        }
        let protocol = match request.socket.r#type() {
            Ok(Type::STREAM) => Protocol::Tcp,
            Ok(Type::DGRAM) => Protocol::Udp,
            _ => return Answer::Continue,
        };
        let ours = |kept: &GuardedPort| (kept.protocol, kept.port.get()) == (protocol, address.port());
        match self.ports.iter().position(ours) {
            Some(position) => self.handle(position, &request, news),
            None => Answer::Continue,
        }
    }

    fn request(notification: Notification, address: SocketAddr) -> Option<BindRequest> {
        let Notification { thread, fd, .. } = notification;
        let pid = remote::process_of(thread)?;
        let descriptor = remote::descriptor(thread, fd)?;
        let socket = remote::socket(pid, fd).ok()?;
        let remote::Descriptor { cloexec, exchangeable } = descriptor;
        Some(BindRequest { notification, pid, socket, address, cloexec, exchangeable })
    }

    fn handle(&mut self, position: usize, request: &BindRequest, news: &mut dyn FnMut(RunEvent)) -> Answer {
        let (port, now) = (&mut self.ports[position], Instant::now());
        let BindRequest { socket, address, .. } = request;
        if port.sockets.iter().any(|kept| kept.is(socket)) {
            // The kernel itself would say that it is bound already; but a call that was interrupted has not heard that yet.
            let again = self.unheard.take() == Some((request.notification.thread, request.notification.fd));
            return if again { Answer::Done } else { Answer::Continue };
        }
        let unbound =
            socket.local_addr().ok().and_then(|bound| bound.as_socket()).is_some_and(|bound| bound.port() == 0);
        let only_v6 = address.is_ipv6() && socket.only_v6().unwrap_or(false);
        let reach = Reach::new(*address, only_v6);
        if !unbound || !port.overlaps(reach) || !options::same_network(socket.as_fd(), port.sockets[0].socket.as_fd()) {
            return Answer::Continue;
        }
        let shared = socket.reuse_port().unwrap_or(false);
        if port.is_served(reach, shared) {
            return Answer::Failed(Errno::ADDRINUSE);
        }
        let simple = request.exchangeable && socket.device().is_ok_and(|device| device.is_none());
        let exact = port.position(*address, only_v6);
        let exact = exact.filter(|&exact| simple && (self.early || port.sockets[exact].had_server()));
        let method =
            if exact.is_some_and(|exact| port.sockets[exact].is_ours()) { Method::Adopt } else { Method::Gated };
        let done = match exact {
            Some(exact) => exchange(&self.listener, port, exact, request).map(|index| (index, method)),
            None => socket.try_clone().and_then(|socket| port.join(socket, *address)).map(|index| (index, method)),
        };
        match done {
            Ok((index, method)) => {
                port.sockets.iter_mut().for_each(|kept| kept.alone_from(now));
                port.sockets[index].given_to(Server::new(request.pid, request.notification.fd), shared);
                news(RunEvent::HandedOver {
                    protocol: port.protocol,
                    address: *address,
                    method,
                    guarantee: method.guarantee(),
                    pid: request.pid,
                });
                Answer::Done
            }
            Err(error) => Answer::Failed(Errno::from_io_error(&error).unwrap_or(Errno::ADDRINUSE)),
        }
    }
}

/// Why a child could not be watched, in words (seccomp(2)).
pub(crate) fn explain(errno: Errno) -> String {
    match errno {
        Errno::BUSY => "another program, perhaps another `portkeeper run`, is watching already".to_owned(),
        Errno::INVAL | Errno::NOSYS => "this kernel has no seccomp notifications (Linux 5.9)".to_owned(),
        Errno::PERM | Errno::ACCESS => "a container or another filter forbids seccomp notifications".to_owned(),
        other => format!("seccomp: {}", std::io::Error::from(other).to_string().to_lowercase()),
    }
}

/// Puts our socket into the place of the child's, and makes it what the child's was.
fn exchange(
    listener: &Listener,
    port: &mut GuardedPort,
    position: usize,
    request: &BindRequest,
) -> std::io::Result<usize> {
    let position = port.listen(position)?;
    let ours = &port.sockets[position].socket;
    options::carry_over(request.socket.as_fd(), ours.as_fd());
    // A property of what both descriptors stand for (open(2)), so it has to be on ours before.
    ours.set_nonblocking(request.socket.nonblocking()?)?;
    listener.replace(&request.notification, ours.as_fd(), request.cloexec)?;
    Ok(position)
}

impl HandoverDriver for Adoption {
    fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        Some(self.listener.as_fd())
    }

    fn readable(&mut self, news: &mut dyn FnMut(RunEvent)) {
        // The thread may have been killed since.
        let Ok(notification) = self.listener.receive() else { return };
        let answer = self.answer(notification, news);
        if !self.listener.answer(&notification, answer) && answer == Answer::Done {
            self.unheard = Some((notification.thread, notification.fd));
        }
    }

    fn look(&mut self, now: Instant, news: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        let mut unserved = Vec::new();
        for port in &mut self.ports {
            let served = port.sockets.iter().any(GuardSocket::had_server);
            let first = if served { SIBLING.min(self.patience) } else { self.patience };
            port.refuse_unserved(now, first, self.patience);
            unserved.extend((!served).then_some(port.port));
        }
        if !self.warned && now.saturating_duration_since(self.started) >= self.patience {
            self.warned = true;
            if !unserved.is_empty() {
                news(RunEvent::NotReady { ports: unserved, after: self.patience });
            }
        }
        Some(INTERVAL)
    }

    fn end(self: Box<Self>) {
        let Self { listener, ports, .. } = *self;
        drop(ports);
        answer_orphan_binds(listener);
    }
}

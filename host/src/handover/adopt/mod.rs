//! Adoption: the child's own call of bind(2) is where it gets its port (Linux).
//!
//! The child starts with a seccomp filter that notifies us of every bind(2), and waits for the answer. Is it the port, then what we keep is
//! exchanged for the child's socket. Where early clients are to queue it listens already; else it does from then on, so that a server that
//! connects to its own port first, to see whether it is free, finds it so. The server does not notice the exchange: it goes on to call
//! listen(2), which now only sets the length of the queue. Where the sockets differ, because the server wants another address or family, or
//! where the exchange would be noticed, its own socket joins ours instead, and is what the next server gets.

mod filter;
mod look;
mod notify;
mod options;
mod remote;

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use socket2::{Socket, Type};

use super::gate::Gate;
use super::kept::{GuardSocket, GuardedPort, Reach, Server, self_test};
use super::orphans::{appoint_deputy, is_needed};
use super::{HandoverDriver, Method, RunEvent};
use crate::model::{Guarantee, Protocol};
use crate::probe::Sockets;
use look::Unseen;
use notify::Notification;

pub(crate) use filter::install;
pub(crate) use notify::{Answer, Listener};

/// How long clients wait for a server on the other addresses of a port, once it has one.
const SIBLING: Duration = Duration::from_secs(5);
/// When a deputy is appointed to a command that has not bound anything by then: one that has ended starts no slower for it. The first
/// bind shows that others may follow, so that it is appointed as soon as that has its answer.
const SETTLED: Duration = Duration::from_millis(200);
/// How often it is looked whether servers are still there.
pub(crate) const INTERVAL: Duration = Duration::from_millis(500);

/// The ports that a child's servers get when they bind them.
#[derive(Debug)]
pub(crate) struct Adoption {
    listener: Listener,
    ports: Vec<Watched>,
    early: bool,
    started: Instant,
    patience: Duration,
    warned: bool,
    /// Whether it was said that a server has not come back.
    missed: bool,
    /// Whether the queues have been looked into since the last look.
    peeked: bool,
    /// Whether one was appointed.
    has_deputy: bool,
    /// A thread and its descriptor that has been bound, but was interrupted before it heard of it, and will ask again. Only before
    /// Linux 5.19.
    unheard: Option<(u32, RawFd)>,
}

/// A port, and what is special about it.
#[derive(Debug)]
struct Watched {
    guarded: GuardedPort,
    /// It is open because something binds that cannot be watched.
    gate: Option<Gate>,
    /// Clients queue while a server is away, until one of the servers was seen to look into that queue itself.
    queues: bool,
    /// A server has it whose socket we do not have.
    let_in: bool,
}

/// A socket that the child wants to bind.
struct BindRequest {
    notification: Notification,
    pid: u32,
    process: OwnedFd,
    socket: Socket,
    address: SocketAddr,
    cloexec: bool,
    exchangeable: bool,
}

/// How a request was fulfilled.
struct Handed {
    /// The socket that the server has now, if it is one of those that keep the port.
    index: Option<usize>,
    method: Method,
    /// Why it was not by the best way.
    why: Option<String>,
}

impl Adoption {
    /// Ready to answer. Without `early` clients wait only for servers that come again, and the first one has its own socket.
    ///
    /// # Errors
    /// What this kernel, or this user, lacks for it, in words.
    pub(crate) fn new(listener: OwnedFd, child: u32, early: bool, patience: Duration) -> Result<Self, String> {
        let listener = Listener::new(listener).map_err(|error| crate::fs::describe(&error))?;
        if !listener.can_replace() {
            return Err("this kernel is older than Linux 5.9".to_owned());
        }
        look::try_all(child)?;
        Ok(Self {
            listener,
            ports: Vec::new(),
            early,
            started: Instant::now(),
            patience,
            // Zero asks for no waiting, and so for no word about it.
            warned: patience.is_zero(),
            missed: false,
            peeked: false,
            has_deputy: false,
            unheard: None,
        })
    }

    /// Takes the ports over.
    pub(crate) fn keep(&mut self, ports: Vec<GuardedPort>) {
        let watched = |guarded| Watched { guarded, gate: None, queues: true, let_in: false };
        self.ports = ports.into_iter().map(watched).collect();
    }

    fn answer(&mut self, notification: Notification, news: &mut dyn FnMut(RunEvent)) -> Answer {
        let is_ours = |port| self.ports.iter().any(|watched| watched.guarded.port.get() == port);
        let looked = look::look(notification, is_ours);
        // What was read is the thread's own only if it waits still, and what was not read is of interest only then.
        if matches!(looked, Ok(None)) || !self.listener.is_waiting(&notification) {
            return Answer::Continue;
        }
        match looked {
            Ok(None) => Answer::Continue,
            Ok(Some(request)) => self.answer_request(request, news),
            Err(unseen) => {
                self.open_gates(notification, unseen, news);
                Answer::Continue
            }
        }
    }

    fn answer_request(&mut self, request: BindRequest, news: &mut dyn FnMut(RunEvent)) -> Answer {
        let protocol = match request.socket.r#type() {
            Ok(Type::STREAM) => Protocol::Tcp,
            Ok(Type::DGRAM) => Protocol::Udp,
            _ => return Answer::Continue,
        };
        let wanted = (protocol, request.address.port());
        let ours = |watched: &Watched| (watched.guarded.protocol, watched.guarded.port.get()) == wanted;
        match self.ports.iter().position(ours) {
            Some(position) => self.handle(position, request, news),
            None => Answer::Continue,
        }
    }

    /// A bind that cannot be seen may be a server's: the ports that it may be of let it in, for as long as they have no server. UDP has
    /// no gate (two sockets that share a port share it for good), so its ports are let go.
    fn open_gates(&mut self, notification: Notification, unseen: Unseen, news: &mut dyn FnMut(RunEvent)) {
        let (mut opened, mut released) = (Vec::new(), Vec::new());
        for watched in self.ports.iter_mut().filter(|watched| watched.gate.is_none()) {
            let Watched { guarded, gate, .. } = watched;
            let is_meant = unseen.address.is_none_or(|address| address.port() == guarded.port.get());
            if !is_meant || guarded.sockets.iter().any(GuardSocket::has_server) {
                continue;
            }
            if guarded.protocol == Protocol::Tcp {
                *gate = Gate::open(guarded).ok();
                opened.extend(gate.is_some().then_some(guarded.port));
            } else if !guarded.sockets.is_empty() {
                guarded.sockets.clear();
                released.push(guarded.port);
            }
        }
        let opened = (Protocol::Tcp, opened, Guarantee::Soft);
        for (protocol, ports, guarantee) in [opened, (Protocol::Udp, released, Guarantee::Advisory)] {
            if !ports.is_empty() {
                news(RunEvent::SteppedDown { protocol, ports, guarantee, why: unseen.explain(notification.thread) });
            }
        }
    }

    /// Sees to it that there is one.
    fn appoint_deputy(&mut self) {
        if !self.has_deputy {
            self.has_deputy = true;
            appoint_deputy(&self.listener);
        }
    }

    fn handle(&mut self, position: usize, request: BindRequest, news: &mut dyn FnMut(RunEvent)) -> Answer {
        let now = Instant::now();
        let BindRequest { ref socket, address, notification, .. } = request;
        let port = &mut self.ports[position].guarded;
        if port.sockets.iter().any(|kept| kept.is(socket)) {
            // The kernel itself would say that it is bound already; but a call that was interrupted has not heard that yet.
            let again = self.unheard.take() == Some((notification.thread, notification.fd));
            return if again { Answer::Done } else { Answer::Continue };
        }
        let unbound =
            socket.local_addr().ok().and_then(|bound| bound.as_socket()).is_some_and(|bound| bound.port() == 0);
        let only_v6 = address.is_ipv6() && socket.only_v6().unwrap_or(false);
        let reach = Reach::new(address, only_v6);
        if !unbound || !port.overlaps(reach) || !options::same_network(socket.as_fd(), port.sockets[0].socket.as_fd()) {
            return Answer::Continue;
        }
        let shared = socket.reuse_port().unwrap_or(false);
        if port.is_served(reach, shared) {
            return Answer::Failed(Errno::ADDRINUSE);
        }
        match self.hand_over(position, &request, only_v6) {
            Ok(Handed { index, method, why }) => {
                let Watched { guarded, gate, let_in, .. } = &mut self.ports[position];
                guarded.sockets.iter_mut().for_each(|kept| kept.alone_from(now));
                match index {
                    Some(index) => {
                        let server = Server::new(request.pid, notification.fd);
                        guarded.sockets[index].given_to(server, Some(request.process), shared);
                    }
                    None => *let_in = true,
                }
                if let Some(gate) = gate.take() {
                    gate.close(guarded);
                }
                news(RunEvent::HandedOver {
                    protocol: guarded.protocol,
                    address,
                    method,
                    guarantee: method.guarantee(),
                    pid: request.pid,
                    why,
                });
                Answer::Done
            }
            Err(error) => Answer::Failed(Errno::from_io_error(&error).unwrap_or(Errno::ADDRINUSE)),
        }
    }

    /// Gives the server what it wants to bind, in the best way that its socket allows.
    fn hand_over(&mut self, position: usize, request: &BindRequest, only_v6: bool) -> std::io::Result<Handed> {
        let BindRequest { socket, address, .. } = request;
        let Watched { guarded: port, queues, .. } = &mut self.ports[position];
        if !*queues && port.protocol == Protocol::Tcp {
            port.let_in(socket.try_clone()?, *address)?;
            let why = Some("it connects to the port before it binds it".to_owned());
            return Ok(Handed { index: None, method: Method::Gated, why });
        }
        let unfit = unfit(request);
        let exact = port.position(*address, only_v6);
        let exact = exact.filter(|&exact| unfit.is_none() && (self.early || port.sockets[exact].had_server()));
        match exact {
            Some(exact) => {
                let method = if port.sockets[exact].is_ours() { Method::Adopt } else { Method::Gated };
                let why = (method == Method::Gated && self.early).then(|| differs(port, *address));
                let index = Some(exchange(&self.listener, port, exact, request)?);
                Ok(Handed { index, method, why })
            }
            None => {
                let why = self.early.then(|| unfit.map_or_else(|| differs(port, *address), ToOwned::to_owned));
                let index = Some(port.join(socket.try_clone()?, *address)?);
                Ok(Handed { index, method: Method::Gated, why })
            }
        }
    }

    /// Looks which servers have ended, and whether one of the command's own processes is among the clients that wait for the next.
    fn look_at_queues(&mut self, news: &mut dyn FnMut(RunEvent)) {
        let now = Instant::now();
        self.peeked = true;
        for watched in &mut self.ports {
            let Watched { guarded, queues, .. } = watched;
            let mut waiting = false;
            for kept in &mut guarded.sockets {
                if kept.server_has_ended() {
                    kept.is_served(now);
                }
                waiting |= kept.has_queue();
            }
            if waiting && let Some(pid) = self_test(guarded.port) {
                *queues = false;
                guarded.sockets.iter().filter(|kept| kept.is_unserved()).for_each(GuardSocket::refuse);
                news(RunEvent::NoQueue { port: guarded.port, pid });
            }
        }
    }
}

/// Why the server's socket cannot be exchanged for ours; none: it can.
fn unfit(request: &BindRequest) -> Option<&'static str> {
    if !request.exchangeable {
        return Some("its socket is watched or has been copied already");
    }
    let confined = !request.socket.device().is_ok_and(|device| device.is_none());
    confined.then_some("its socket is for one network device alone")
}

/// Why no socket of ours is what the server binds.
fn differs(port: &GuardedPort, address: SocketAddr) -> String {
    let ours: Vec<_> = port.sockets.iter().filter(|kept| kept.is_ours()).map(|kept| kept.address.ip()).collect();
    let list: Vec<_> = ours.iter().map(IpAddr::to_string).collect();
    if list.is_empty() {
        "its earlier sockets have taken the place of portkeeper's".to_owned()
    } else {
        format!("it binds {}, not {}", address.ip(), list.join(" or "))
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
    /// Binds first; then the ends of servers, and clients that wait for the next one, until they have been looked at.
    fn waits_for(&self, _: Instant) -> Vec<BorrowedFd<'_>> {
        let sockets = self.ports.iter().flat_map(|watched| &watched.guarded.sockets);
        let watched = sockets.filter_map(|kept| kept.waits_for(!self.peeked));
        [self.listener.as_fd()].into_iter().chain(watched).collect()
    }

    fn readable(&mut self, which: &[usize], news: &mut dyn FnMut(RunEvent)) {
        if which.iter().any(|&index| index > 0) {
            self.look_at_queues(news);
        }
        if !which.contains(&0) {
            return;
        }
        // The thread may have been killed since.
        let Ok(notification) = self.listener.receive() else { return };
        let answer = self.answer(notification, news);
        if !self.listener.answer(&notification, answer) && answer == Answer::Done {
            self.unheard = Some((notification.thread, notification.fd));
        }
        self.appoint_deputy();
    }

    fn look(&mut self, now: Instant, news: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        self.peeked = false;
        let open = self.ports.iter().any(|watched| watched.gate.is_some());
        let sockets = if open { Sockets::read_listeners(Protocol::Tcp).ok() } else { None };
        let mut next = INTERVAL;
        if !self.has_deputy {
            if now.saturating_duration_since(self.started) >= SETTLED {
                self.appoint_deputy();
            } else {
                next = SETTLED;
            }
        }
        let (mut unserved, mut gone) = (Vec::new(), Vec::new());
        for Watched { guarded: port, gate, queues, let_in } in &mut self.ports {
            let mut served = *let_in || port.sockets.iter().any(GuardSocket::had_server);
            let first = if served { SIBLING.min(self.patience) } else { self.patience };
            let gave_up = port.refuse_unserved(now, first, if *queues { self.patience } else { Duration::ZERO });
            gone.extend((gave_up && *queues).then_some(port.port));
            if let (Some(gate), Some(sockets)) = (gate, &sockets) {
                gate.look(port, sockets, news);
                next = next.min(gate.interval(now));
                served |= gate.had_server;
            }
            unserved.extend((!served).then_some(port.port));
        }
        if !self.warned && now.saturating_duration_since(self.started) >= self.patience {
            self.warned = true;
            if !unserved.is_empty() {
                news(RunEvent::NotReady { ports: unserved, after: self.patience });
            }
        }
        if !gone.is_empty() && !self.patience.is_zero() && !self.missed {
            self.missed = true;
            news(RunEvent::NotBack { ports: gone, after: self.patience });
        }
        Some(next)
    }

    fn was_bound(&self) -> bool {
        self.ports.iter().any(|watched| {
            watched.let_in || watched.gate.is_some() || watched.guarded.sockets.iter().any(GuardSocket::had_server)
        })
    }

    fn end(self: Box<Self>) {
        let Self { listener, ports, has_deputy, .. } = *self;
        drop(ports);
        if !has_deputy && is_needed(&listener) {
            appoint_deputy(&listener);
        }
    }
}

//! All sockets that keep one port, and how another joins them without leaving the port free for an instant.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::socket::patiently;
use super::{GuardSocket, Reach};
use crate::hold::HeldPort;
use crate::model::{Port, Protocol};

/// The sockets that keep a port.
#[derive(Debug)]
pub(crate) struct GuardedPort {
    pub(crate) protocol: Protocol,
    pub(crate) port: Port,
    pub(crate) sockets: Vec<GuardSocket>,
}

/// Which option lets a newcomer in beside sockets that are there. Both sides must have it at that moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    /// `SO_REUSEPORT`: only for sockets of one user, and few programs set it. It fits beside listeners, too. But the kernel
    /// remembers it for the port (`fastreuseport`, net/ipv4/inet_connection_sock.c) until a socket without it binds or listens.
    ReusePort,
    /// `SO_REUSEADDR`: for sockets of any user, while none of them listens.
    ReuseAddress,
}

impl GuardedPort {
    /// Goes on keeping what a hold kept.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(held: HeldPort) -> io::Result<Self> {
        let HeldPort { protocol, port, sockets, .. } = held;
        let kept = |held: crate::hold::HeldSocket| {
            held.socket.set_reuse_address(false)?;
            GuardSocket::new(held.socket, SocketAddr::new(held.address, port.get()), false)
        };
        let sockets = sockets.into_iter().map(kept).collect::<io::Result<_>>()?;
        Ok(Self { protocol, port, sockets })
    }

    /// The socket that is bound to just this. Only on `::` it matters whether IPv4 is left alone.
    pub(crate) fn position(&self, address: SocketAddr, only_v6: bool) -> Option<usize> {
        let reach = Reach::new(address, only_v6);
        self.sockets.iter().position(|kept| kept.address == address && kept.reach() == reach)
    }

    /// Whether any socket answers for an address that this reaches.
    pub(crate) fn overlaps(&self, reach: Reach) -> bool {
        self.sockets.iter().any(|kept| kept.reach().overlaps(reach))
    }

    /// Whether a server has one of the sockets that the newcomer would get in the way of. Two that both let others of their kind in
    /// don't.
    pub(crate) fn is_served(&self, reach: Reach, shared: bool) -> bool {
        let mut others = self.sockets.iter().filter(|kept| kept.reach().overlaps(reach));
        others.any(|kept| !(shared && kept.shared) && kept.has_server())
    }

    /// Listens on one of the sockets, for a server that is about to get it. Others that it covers and that have no server are
    /// closed: from now on it keeps their addresses as well.
    ///
    /// # Errors
    /// What listen(2) says.
    pub(crate) fn listen(&mut self, position: usize) -> io::Result<usize> {
        let one = self.sockets.swap_remove(position);
        self.leave(|kept| one.covers(kept) && !kept.has_server());
        let others: Vec<_> = self.sockets.iter().filter(|kept| kept.reach().overlaps(one.reach())).collect();
        let listening = if one.listens() || others.is_empty() {
            one.listen()
        } else {
            alone_with(&one, &others, Key::ReuseAddress, || one.listen())
        };
        self.sockets.push(one);
        listening.map(|()| self.sockets.len() - 1)
    }

    /// Binds a socket to the address, and listens on it. It then keeps the port together with the others; those that it covers are
    /// closed.
    ///
    /// While it joins, the others keep all further sockets out, except those that have the same [`Key`] at that very instant.
    ///
    /// # Errors
    /// What bind(2) and listen(2) say; then everything is as it was, the socket unbound.
    pub(crate) fn join(&mut self, socket: Socket, address: SocketAddr) -> io::Result<usize> {
        let newcomer = GuardSocket::new(socket, address, true)?;
        let (was_address, was_port) = (newcomer.socket.reuse_address()?, newcomer.socket.reuse_port()?);
        let reach = newcomer.reach();
        let others: Vec<_> = self.sockets.iter().filter(|kept| kept.reach().overlaps(reach)).collect();
        let covered = others.iter().all(|other| newcomer.covers(other));
        let bind = || newcomer.socket.bind(&address.into());
        let bound = if covered {
            // Beside remnants of connections a bind needs SO_REUSEADDR, too.
            newcomer.socket.set_reuse_address(true)?;
            through(Key::ReusePort, &newcomer, &others, bind)
                .or_else(|error| again(error, || alone_with(&newcomer, &others, Key::ReusePort, || patiently(bind))))
                .or_else(|error| again(error, || alone_with(&newcomer, &others, Key::ReuseAddress, bind)))
        } else {
            alone_with(&newcomer, &others, Key::ReuseAddress, || bind().and_then(|()| newcomer.listen()))
        };
        if let Err(error) = bound {
            newcomer.socket.set_reuse_address(was_address)?;
            newcomer.socket.set_reuse_port(was_port)?;
            return Err(error);
        }
        // From here on it keeps its addresses by itself.
        let _ = newcomer.socket.set_reuse_address(newcomer.listens());
        self.leave(|kept| newcomer.covers(kept));
        newcomer.listen()?;
        self.sockets.push(newcomer);
        Ok(self.sockets.len() - 1)
    }

    /// Binds a socket to the address beside the others, and listens on it, without keeping it: when the server closes it, clients are
    /// refused immediately, and the others still keep the port.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub(crate) fn let_in(&mut self, socket: Socket, address: SocketAddr) -> io::Result<()> {
        let newcomer = GuardSocket::new(socket, address, true)?;
        let was_address = newcomer.socket.reuse_address()?;
        let others: Vec<_> = self.sockets.iter().filter(|kept| kept.reach().overlaps(newcomer.reach())).collect();
        let bind = || newcomer.socket.bind(&address.into()).and_then(|()| newcomer.listen());
        let bound = alone_with(&newcomer, &others, Key::ReuseAddress, bind);
        if bound.is_err() {
            newcomer.socket.set_reuse_address(was_address)?;
        }
        bound
    }

    /// Refuses the clients of every socket that has had no server for too long: `first` where there never was one, `again` where
    /// one went away. Whether clients have waited in vain for one that went away, and for no other.
    pub(crate) fn refuse_unserved(&mut self, now: Instant, first: Duration, again: Duration) -> bool {
        let (mut gave_up, mut served) = (false, false);
        for kept in &mut self.sockets {
            let patience = if kept.had_server() { again } else { first };
            if kept.is_served(now) {
                served = true;
            } else if kept.alone_for(now) >= patience {
                gave_up |= kept.had_server() && kept.listens();
                kept.refuse();
            }
        }
        gave_up && !served
    }

    /// Closes some of the sockets. A rival's bind looks at one socket after the other: so that it meets one that keeps it out whichever
    /// comes first, those that leave keep all other sockets out until the kernel has forgotten them.
    fn leave(&mut self, leaves: impl Fn(&GuardSocket) -> bool) {
        self.sockets.iter().filter(|kept| leaves(kept)).for_each(GuardSocket::close_gate);
        self.sockets.retain(|kept| !leaves(kept));
    }

    /// Takes clients in, on these addresses, before there is a server.
    ///
    /// # Errors
    /// What listen(2) says.
    pub(crate) fn listen_early(&self, addresses: &[IpAddr]) -> io::Result<()> {
        self.sockets.iter().filter(|kept| addresses.contains(&kept.address.ip())).try_for_each(GuardSocket::listen)
    }
}

/// Does it while the newcomer and the others have the key, which is taken back whatever comes of it.
fn through<T>(
    key: Key,
    newcomer: &GuardSocket,
    others: &[&GuardSocket],
    act: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let all = || others.iter().copied().chain([newcomer]);
    let done = all().try_for_each(|kept| turn(key, kept, true)).and_then(|()| act());
    for kept in all() {
        // A listener keeps the option: what it accepts inherits it.
        if key == Key::ReusePort || !kept.listens() {
            let _ = turn(key, kept, false);
        }
    }
    done
}

/// The same without the clients of the others: [`Key::ReuseAddress`] fits beside no listener, and a connection that was made in the
/// instant before its listener had that option fits beside no socket. Should it fail, the others listen again.
fn alone_with<T>(
    newcomer: &GuardSocket,
    others: &[&GuardSocket],
    key: Key,
    act: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    let listened: Vec<_> = others.iter().filter(|other| other.listens()).collect();
    others.iter().for_each(|other| other.refuse());
    through(key, newcomer, others, act).inspect_err(|_| {
        for other in listened {
            let _ = other.listen();
        }
    })
}

/// Another attempt, if the port was in use.
fn again<T>(error: io::Error, attempt: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    if error.kind() == ErrorKind::AddrInUse { attempt() } else { Err(error) }
}

fn turn(key: Key, kept: &GuardSocket, on: bool) -> io::Result<()> {
    match key {
        Key::ReusePort => kept.socket.set_reuse_port(on),
        Key::ReuseAddress => kept.socket.set_reuse_address(on),
    }
}

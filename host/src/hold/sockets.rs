//! The sockets that keep a port: bound on each of its addresses, never listening.
//!
//! What Linux does with them (inet_csk_get_port, net/ipv4/inet_connection_sock.c): two sockets that don't listen may share an
//! address if both have `SO_REUSEADDR` *at the moment of the second one's bind*. So the option of a socket that is bound already
//! is a gate: switched off, every rival fails; switched on, a server that sets the option binds through. listen(2) asks for the port
//! once more, so the gate stays open until then; a server that listens is unaffected by it.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use socket2::Socket;

use crate::model::{HoldKind, Port, Protocol};
use crate::probe::{PortState, ProbeError, Sharing, bind_family, is_answered, lacks_family, probe, refusal};

/// How many connections may wait to be accepted, unless the system allows fewer (`somaxconn`, listen(2)).
const BACKLOG: i32 = 1024;

/// A port that is kept by sockets: for as long as this value, or a copy of its sockets in any process, lives.
#[derive(Debug)]
pub struct HeldPort {
    /// What it keeps away.
    pub kind: HoldKind,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: Port,
    /// One for each address. Never empty.
    pub sockets: Vec<HeldSocket>,
}

/// One of the sockets: bound, not listening, closed on exec. On `::` it leaves IPv4 to the socket on `0.0.0.0`.
#[derive(Debug)]
pub struct HeldSocket {
    /// What it is bound to.
    pub address: IpAddr,
    /// The socket.
    pub socket: Socket,
}

/// What became of an attempt to hold a port.
#[derive(Debug)]
pub enum Claim {
    /// It is held.
    Held(HeldPort),
    /// It is in use, or old connections still linger ([`PortState::Lingering`]). Never [`PortState::Free`].
    NotHeld(PortState),
}

/// Holds the port on all of the addresses, if that is possible; either wildcard means both. A port on which old connections linger
/// is held only if `lingering` says so.
///
/// # Errors
/// As [`crate::probe::probe`], and [`ErrorKind::Unsupported`] within [`ProbeError::Failed`] for a kind that the platform lacks.
pub fn claim(
    kind: HoldKind,
    protocol: Protocol,
    port: Port,
    addresses: &[IpAddr],
    lingering: bool,
) -> Result<Claim, ProbeError> {
    let addresses = held_addresses(addresses);
    let failed = |source| ProbeError::Failed { protocol, port, address: addresses[0], source };
    let held = match bind_all(protocol, port, &addresses, Sharing::Nothing)? {
        // Behind a forwarding rule the port binds without complaint, and is in use all the same.
        Some(_) if protocol == Protocol::Tcp && is_answered(port, &addresses)? => {
            return Ok(Claim::NotHeld(PortState::Taken));
        }
        Some(sockets) => HeldPort { kind, protocol, port, sockets },
        None => match probe(protocol, port, &addresses)? {
            PortState::Lingering if lingering => match beside_remnants(kind, port, &addresses)? {
                Some(held) => held,
                None => return Ok(Claim::NotHeld(PortState::Taken)),
            },
            PortState::Lingering => return Ok(Claim::NotHeld(PortState::Lingering)),
            // Free by now; but a process has just used it, and there are other ports.
            PortState::Taken | PortState::Free => return Ok(Claim::NotHeld(PortState::Taken)),
        },
    };
    held.set_gate(kind == HoldKind::Soft).map_err(failed)?;
    Ok(Claim::Held(held))
}

impl HeldPort {
    /// Lets servers bind and listen that set `SO_REUSEADDR`, as most do. A rival that sets it gets in as well: open it only until
    /// the own server listens.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::Unsupported`] for UDP, and where the platform knows no such gate.
    pub fn open_gate(&self) -> io::Result<()> {
        self.set_gate(true)
    }

    /// Lets no other socket bind anymore, and none that is already bound listen. Sockets that already listen are unaffected.
    ///
    /// # Errors
    /// What the system says.
    pub fn close_gate(&self) -> io::Result<()> {
        self.set_gate(false)
    }

    pub(super) fn set_gate(&self, open: bool) -> io::Result<()> {
        if open && self.protocol == Protocol::Udp {
            // Two UDP sockets with the option share the port for good, and the newest takes the packets.
            return Err(io::Error::new(ErrorKind::Unsupported, "UDP ports can only be held exclusively"));
        }
        self.sockets.iter().try_for_each(|held| set_reuse_address(&held.socket, open))
    }

    /// Listens on all of the addresses. The port is not free for a moment.
    ///
    /// # Errors
    /// What the system says; [`ErrorKind::Unsupported`] for UDP.
    pub fn into_listeners(self) -> io::Result<Vec<TcpListener>> {
        if self.protocol == Protocol::Udp {
            return Err(io::Error::new(ErrorKind::Unsupported, "a UDP port has no listeners"));
        }
        self.listen(BACKLOG)?;
        Ok(self.sockets.into_iter().map(|held| TcpListener::from(held.socket)).collect())
    }

    /// Makes listeners of the sockets themselves, as a server does that sets `SO_REUSEADDR`. Should they ever stop listening, the
    /// gate has to be closed.
    ///
    /// The option is set after the call, when it opens no gate anymore: a listener has the port for itself. Connections inherit it, and
    /// without it what is left of them would keep the next server away (TIME_WAIT). Beside such remnants it is set before.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen(&self, backlog: i32) -> io::Result<()> {
        for HeldSocket { socket, .. } in &self.sockets {
            match socket.listen(backlog) {
                Err(error) if error.kind() == ErrorKind::AddrInUse && cfg!(target_os = "linux") => {
                    set_reuse_address(socket, true)?;
                    socket.listen(backlog)?;
                }
                result => result?,
            }
            #[cfg(unix)]
            socket.set_reuse_address(true)?;
        }
        Ok(())
    }

    /// The addresses that it is held on.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.sockets.iter().map(|held| held.address)
    }
}

#[cfg(target_os = "linux")]
fn set_reuse_address(socket: &Socket, on: bool) -> io::Result<()> {
    socket.set_reuse_address(on)
}

/// Elsewhere the option means other things: on Windows it lets a rival take over a port that is in use, and on BSD it is only
/// looked at when a socket itself is bound.
#[cfg(not(target_os = "linux"))]
fn set_reuse_address(_: &Socket, on: bool) -> io::Result<()> {
    if on {
        return Err(io::Error::new(ErrorKind::Unsupported, "on this system ports can only be held exclusively"));
    }
    Ok(())
}

/// The addresses to bind: a wildcard means all of both families, each with a socket of its own.
fn held_addresses(addresses: &[IpAddr]) -> Vec<IpAddr> {
    if addresses.iter().any(|address| address.to_canonical().is_unspecified()) {
        return vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    }
    let mut distinct: Vec<IpAddr> = addresses.iter().map(IpAddr::to_canonical).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}

/// A socket on each of the addresses; none at all if one of them is in use. A family that the machine lacks is left out.
fn bind_all(
    protocol: Protocol,
    port: Port,
    addresses: &[IpAddr],
    sharing: Sharing,
) -> Result<Option<Vec<HeldSocket>>, ProbeError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for &address in addresses {
        match bind_family(protocol, SocketAddr::new(address, port.get()), sharing, true) {
            Ok(socket) => sockets.push(HeldSocket { address, socket }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
            Err(error) if lacks_family(&error) => {}
            Err(source) => return Err(refusal(protocol, port, address, source)),
        }
    }
    Ok(Some(sockets))
}

/// Remnants of connections let only sockets with `SO_REUSEADDR` bind, and so any other socket with it. Once the gate is closed, no
/// socket can join, so one that slipped in before is there to be seen.
#[cfg(target_os = "linux")]
fn beside_remnants(kind: HoldKind, port: Port, addresses: &[IpAddr]) -> Result<Option<HeldPort>, ProbeError> {
    use std::os::fd::AsFd;

    use crate::probe::{SocketState, Sockets};

    let Some(sockets) = bind_all(Protocol::Tcp, port, addresses, Sharing::Remnants)? else { return Ok(None) };
    let held = HeldPort { kind, protocol: Protocol::Tcp, port, sockets };
    held.close_gate().map_err(|source| refusal(Protocol::Tcp, port, addresses[0], source))?;
    let inode = |held: &HeldSocket| rustix::fs::fstat(held.socket.as_fd()).ok().map(|stat| stat.st_ino);
    let ours: Vec<_> = held.sockets.iter().filter_map(inode).collect();
    let alone = Sockets::read(Protocol::Tcp)?.occupants(port, addresses).iter().all(|occupant| {
        occupant.state == SocketState::Remnant || occupant.inode.is_some_and(|inode| ours.contains(&inode))
    });
    Ok(alone.then_some(held))
}

/// What lingers elsewhere keeps every program but its own server away, so nothing is held.
#[cfg(not(target_os = "linux"))]
fn beside_remnants(_: HoldKind, _: Port, _: &[IpAddr]) -> Result<Option<HeldPort>, ProbeError> {
    Ok(None)
}

#[cfg(all(test, target_os = "linux"))]
#[path = "sockets_tests.rs"]
mod tests;

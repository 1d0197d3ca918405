//! Whether a port can be had.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::ProbeError;
use super::bind::{Sharing, bind, bind_all, covering, lacks_family};
use crate::model::{Port, Protocol};

/// What the kernel says about a port now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortState {
    /// Any process may bind it.
    Free,
    /// Not in use, but connections of an earlier server still fade away (TIME_WAIT, or closing without a process). A server that sets
    /// `SO_REUSEADDR`, as most do, can bind it; others cannot for about a minute.
    Lingering,
    /// In use: listening, bound without listening, connected, or behind a forwarding rule.
    Taken,
}

/// How long to wait for an answer. On the machine itself it comes immediately, or with the wake-up of a forwarded server; only a firewall
/// that drops packets makes us wait, and there no answer comes.
const PATIENCE: Duration = Duration::from_millis(250);

/// Whether the port can be had on all of the addresses together. They must be addresses of this machine
/// ([`local_addresses`](super::local_addresses)); either wildcard means all of them.
///
/// The port is bound for a moment, never listened on. A TCP port is connected to, as well: one that a firewall forwards to a
/// container has no listener, and binds without complaint.
///
/// # Errors
/// [`ProbeError::Denied`] for a port that this user may not bind, [`ProbeError::NotLocal`], and [`ProbeError::Failed`] for the
/// rest.
pub fn probe(protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
    let addresses = covering(addresses);
    match bind_all(protocol, port, &addresses, Sharing::Nothing)? {
        // Our sockets stay open meanwhile: a connection from the port to itself would answer, too (RFC 9293, 3.5).
        Some(_ours) if protocol == Protocol::Tcp && is_answered(port, &addresses)? => Ok(PortState::Taken),
        Some(_) => Ok(PortState::Free),
        None if protocol == Protocol::Tcp => in_use(port, &addresses),
        // Nothing is left of a closed UDP socket.
        None => Ok(PortState::Taken),
    }
}

/// Whether a plain bind of the port succeeds on all of the addresses. That is less than [`probe`] asks, and costs less.
///
/// # Errors
/// As [`probe`].
pub fn can_bind(protocol: Protocol, port: Port, addresses: &[IpAddr]) -> Result<bool, ProbeError> {
    // Most ports are free on every address, which one socket shows.
    if bind(protocol, SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port.get()), Sharing::Nothing).is_ok() {
        return Ok(true);
    }
    Ok(bind_all(protocol, port, &covering(addresses), Sharing::Nothing)?.is_some())
}

/// Whether a connection to the port is accepted.
///
/// # Errors
/// [`ProbeError::Failed`]: there is no socket to ask with, so the state is unknown.
pub(crate) fn is_answered(port: Port, addresses: &[IpAddr]) -> Result<bool, ProbeError> {
    let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let all = addresses.iter().any(IpAddr::is_unspecified);
    let targets = if all { &loopback } else { addresses };
    for &address in targets {
        let target = SocketAddr::new(address, port.get());
        let socket = match Socket::new(Domain::for_address(target), Type::STREAM, None) {
            Err(error) if lacks_family(&error) => continue,
            Err(source) => return Err(ProbeError::Failed { protocol: Protocol::Tcp, port, address, source }),
            Ok(socket) => socket,
        };
        if socket.connect_timeout(&target.into(), PATIENCE).is_ok() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A plain bind has failed: is the port in use, or are there only remnants?
#[cfg(target_os = "linux")]
fn in_use(port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
    use super::{SocketState, Sockets};

    if bind_all(Protocol::Tcp, port, addresses, Sharing::Remnants)?.is_none() {
        return Ok(PortState::Taken);
    }
    // A socket that is bound with SO_REUSEADDR and does not listen lets us in as well. Only the tables distinguish it from a remnant.
    let sockets = match Sockets::read(Protocol::Tcp) {
        Ok(sockets) => sockets,
        // A sandbox closes them for good. A look that failed for want of files or memory says nothing.
        Err(ProbeError::Tables { source, .. }) if !is_shortage(&source) => return Ok(PortState::Taken),
        Err(error) => return Err(error),
    };
    let occupants = sockets.occupants(port, addresses);
    if occupants.is_empty() {
        // The last of them may have gone just now. Otherwise it is a socket that this kernel does not show.
        let gone = bind_all(Protocol::Tcp, port, addresses, Sharing::Nothing)?.is_some();
        return Ok(if gone { PortState::Free } else { PortState::Taken });
    }
    let lingering = occupants.iter().all(|occupant| occupant.state == SocketState::Remnant);
    Ok(if lingering { PortState::Lingering } else { PortState::Taken })
}

/// Whether the system had no more of something just then (errno(3)).
#[cfg(target_os = "linux")]
fn is_shortage(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::IO];
    shortages.iter().any(|shortage| error.raw_os_error() == Some(shortage.raw_os_error()))
}

/// Elsewhere on Unix a bind with `SO_REUSEADDR` succeeds beside remnants and beside sockets on overlapping addresses; of those
/// the listening ones answer.
#[cfg(all(unix, not(target_os = "linux")))]
fn in_use(port: Port, addresses: &[IpAddr]) -> Result<PortState, ProbeError> {
    let remnants = match bind_all(Protocol::Tcp, port, addresses, Sharing::Remnants)? {
        Some(_ours) => !is_answered(port, addresses)?,
        None => false,
    };
    Ok(if remnants { PortState::Lingering } else { PortState::Taken })
}

/// On Windows remnants do not block a bind.
#[cfg(windows)]
fn in_use(_: Port, _: &[IpAddr]) -> Result<PortState, ProbeError> {
    Ok(PortState::Taken)
}

#[cfg(test)]
#[path = "port_tests.rs"]
mod tests;

//! Binding, the one question about a port that the kernel answers with certainty.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

use super::ProbeError;
use crate::model::{Port, Protocol};

/// What else may be on the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Nothing. (The standard library sets `SO_REUSEADDR` on Unix, and so cannot ask this.)
    Nothing,
    /// With `SO_REUSEADDR`: remnants of connections, and sockets that set it themselves and don't listen (socket(7)).
    #[cfg(unix)]
    Remnants,
}

/// A socket bound to an address. It never listens.
///
/// # Errors
/// What the system says.
pub(super) fn bind(protocol: Protocol, address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    // Dual stack: on `::`, IPv4 sockets get in the way, too, whatever the machine's default is (ipv6(7)).
    bind_family(protocol, address, sharing, false)
}

/// The same, where a socket on `::` may leave IPv4 to another one (`IPV6_V6ONLY`, ipv6(7)).
///
/// # Errors
/// What the system says.
pub(crate) fn bind_family(
    protocol: Protocol,
    address: SocketAddr,
    sharing: Sharing,
    only_v6: bool,
) -> io::Result<Socket> {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp => Type::DGRAM,
    };
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    share(&socket, sharing)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(unix)]
fn share(socket: &Socket, sharing: Sharing) -> io::Result<()> {
    match sharing {
        Sharing::Nothing => Ok(()),
        Sharing::Remnants => socket.set_reuse_address(true),
    }
}

/// On Windows a plain bind may succeed beside another socket; only `SO_EXCLUSIVEADDRUSE` asks for the port alone ("Using
/// SO_REUSEADDR and SO_EXCLUSIVEADDRUSE", Winsock documentation).
#[cfg(windows)]
fn share(socket: &Socket, Sharing::Nothing: Sharing) -> io::Result<()> {
    use std::os::windows::io::AsRawSocket;
    use windows_sys::Win32::Networking::WinSock::{SO_EXCLUSIVEADDRUSE, SOCKET, SOL_SOCKET, setsockopt};

    let on = 1_i32.to_ne_bytes();
    #[expect(unsafe_code, reason = "neither the standard library nor socket2 has this option")]
    // SAFETY: the socket is open for the whole call, and the pointer and the length are those of `on`.
    let result =
        unsafe { setsockopt(socket.as_raw_socket() as SOCKET, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, on.as_ptr(), 4) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sockets on all the addresses together; none when one of them is in use. An address of a family that the machine lacks is left out: no
/// socket can be there.
///
/// # Errors
/// [`ProbeError::Denied`], [`ProbeError::NotLocal`] and [`ProbeError::Failed`].
pub(super) fn bind_all(
    protocol: Protocol,
    port: Port,
    addresses: &[IpAddr],
    sharing: Sharing,
) -> Result<Option<Vec<Socket>>, ProbeError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    for &address in addresses {
        match bind(protocol, SocketAddr::new(address, port.get()), sharing) {
            Ok(socket) => sockets.push(socket),
            Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
            Err(error) if lacks_family(&error) => {}
            Err(source) => return Err(refusal(protocol, port, address, source)),
        }
    }
    Ok(Some(sockets))
}

/// What a bind's failure means, when it is not that the port is in use.
pub(crate) fn refusal(protocol: Protocol, port: Port, address: IpAddr, source: io::Error) -> ProbeError {
    match source.kind() {
        ErrorKind::PermissionDenied => ProbeError::Denied { protocol, port },
        ErrorKind::AddrNotAvailable => ProbeError::NotLocal { address },
        _ => ProbeError::Failed { protocol, port, address, source },
    }
}

/// Whether the error means that the machine does not speak this version of IP at all.
pub(crate) fn lacks_family(error: &io::Error) -> bool {
    #[cfg(unix)]
    let code = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    #[cfg(windows)]
    let code = windows_sys::Win32::Networking::WinSock::WSAEAFNOSUPPORT;
    error.raw_os_error() == Some(code)
}

/// The fewest addresses to bind that detect every socket that conflicts with the given ones.
///
/// Either wildcard stands for all addresses of the machine; a socket on `::` sees them all, and cannot be bound beside one on
/// `0.0.0.0` or on a single address. On a machine without IPv6 `0.0.0.0` is all there is.
pub(super) fn covering(addresses: &[IpAddr]) -> Vec<IpAddr> {
    if addresses.iter().any(|address| address.to_canonical().is_unspecified()) {
        let ipv6 = Socket::new(Domain::IPV6, Type::DGRAM, None).is_ok();
        return vec![if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }];
    }
    let mut distinct = Vec::with_capacity(addresses.len());
    for address in addresses.iter().map(IpAddr::to_canonical) {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    distinct
}

//! The options that a server has set on a socket before it binds it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{
    IP_FREEBIND, IP_MTU_DISCOVER, IP_PKTINFO, IP_RECVERR, IP_TOS, IP_TRANSPARENT, IP_TTL, IPPROTO_IP, IPPROTO_IPV6,
    IPPROTO_TCP, IPV6_RECVPKTINFO, IPV6_TCLASS, IPV6_UNICAST_HOPS, SO_BUSY_POLL, SO_INCOMING_CPU, SO_KEEPALIVE,
    SO_LINGER, SO_MARK, SO_NETNS_COOKIE, SO_OOBINLINE, SO_PRIORITY, SO_RCVBUF, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDBUF,
    SO_SNDTIMEO, SOL_SOCKET, TCP_CONGESTION, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL,
    TCP_LINGER2, TCP_MAXSEG, TCP_NODELAY, TCP_NOTSENT_LOWAT, TCP_SYNCNT, TCP_USER_TIMEOUT, TCP_WINDOW_CLAMP, c_int,
    socklen_t,
};

/// What socket(7), tcp(7), ip(7) and ipv6(7) have that matters to a listener and to the connections that inherit from it.
///
/// Not among them: `SO_REUSEADDR` and `SO_REUSEPORT`, which are ours to keep the port with, and `IPV6_V6ONLY`, which cannot change
/// anymore (a socket that differs there is not exchanged). Filters (`SO_ATTACH_FILTER`) cannot be read by any process.
const OPTIONS: [(c_int, c_int); 32] = [
    (SOL_SOCKET, SO_BUSY_POLL),
    (SOL_SOCKET, SO_INCOMING_CPU),
    (SOL_SOCKET, SO_KEEPALIVE),
    (SOL_SOCKET, SO_LINGER),
    (SOL_SOCKET, SO_MARK),
    (SOL_SOCKET, SO_OOBINLINE),
    (SOL_SOCKET, SO_PRIORITY),
    (SOL_SOCKET, SO_RCVBUF),
    (SOL_SOCKET, SO_RCVLOWAT),
    (SOL_SOCKET, SO_RCVTIMEO),
    (SOL_SOCKET, SO_SNDBUF),
    (SOL_SOCKET, SO_SNDTIMEO),
    (IPPROTO_TCP, TCP_CONGESTION),
    (IPPROTO_TCP, TCP_DEFER_ACCEPT),
    (IPPROTO_TCP, TCP_FASTOPEN),
    (IPPROTO_TCP, TCP_KEEPCNT),
    (IPPROTO_TCP, TCP_KEEPIDLE),
    (IPPROTO_TCP, TCP_KEEPINTVL),
    (IPPROTO_TCP, TCP_LINGER2),
    (IPPROTO_TCP, TCP_MAXSEG),
    (IPPROTO_TCP, TCP_NODELAY),
    (IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    (IPPROTO_TCP, TCP_SYNCNT),
    (IPPROTO_TCP, TCP_USER_TIMEOUT),
    (IPPROTO_TCP, TCP_WINDOW_CLAMP),
    (IPPROTO_IP, IP_FREEBIND),
    (IPPROTO_IP, IP_MTU_DISCOVER),
    (IPPROTO_IP, IP_PKTINFO),
    (IPPROTO_IP, IP_RECVERR),
    (IPPROTO_IP, IP_TOS),
    (IPPROTO_IP, IP_TRANSPARENT),
    (IPPROTO_IP, IP_TTL),
];

/// The same for IPv6 sockets, on top.
const OPTIONS_V6: [(c_int, c_int); 3] =
    [(IPPROTO_IPV6, IPV6_RECVPKTINFO), (IPPROTO_IPV6, IPV6_TCLASS), (IPPROTO_IPV6, IPV6_UNICAST_HOPS)];

/// The longest value: the name of a congestion control (`TCP_CA_NAME_MAX`, net/tcp.h).
const LONGEST: usize = 16;

/// Gives a socket the options of another. What one of them does not know, or this user may not set, is left out.
pub(crate) fn carry_over(from: BorrowedFd<'_>, to: BorrowedFd<'_>) {
    for &(level, name) in OPTIONS.iter().chain(&OPTIONS_V6) {
        let (Ok(wanted), Ok(had)) = (get::<LONGEST>(from, level, name), get::<LONGEST>(to, level, name)) else {
            continue;
        };
        if wanted != had {
            let _ = set(to, level, name, &halved(level, name, wanted));
        }
    }
}

/// Whether both sockets are in one network namespace, as far as the kernel reports (`SO_NETNS_COOKIE`, Linux 5.14).
pub(crate) fn same_network(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    let cookie = |socket| get::<8>(socket, SOL_SOCKET, SO_NETNS_COOKIE).ok();
    cookie(a) == cookie(b)
}

/// The kernel doubles the sizes of buffers when they are set (socket(7)).
fn halved(level: c_int, name: c_int, value: Vec<u8>) -> Vec<u8> {
    match <[u8; 4]>::try_from(value.as_slice()) {
        Ok(bytes) if level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF) => {
            (c_int::from_ne_bytes(bytes) / 2).to_ne_bytes().to_vec()
        }
        _ => value,
    }
}

/// The value of an option that has at most so many bytes; some the kernel only gives in just as many.
fn get<const MOST: usize>(socket: BorrowedFd<'_>, level: c_int, name: c_int) -> io::Result<Vec<u8>> {
    let mut value = vec![0; MOST];
    let mut length = MOST as socklen_t;
    #[expect(unsafe_code, reason = "the crates have one function for each option, and not for all of them")]
    // SAFETY: the kernel writes at most `length` bytes, which `value` has, and says how many.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, value.as_mut_ptr().cast(), &raw mut length) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    value.truncate(length as usize);
    Ok(value)
}

fn set(socket: BorrowedFd<'_>, level: c_int, name: c_int, value: &[u8]) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the crates have one function for each option, and not for all of them")]
    // SAFETY: the kernel reads as many bytes as `value` has.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), value.len() as socklen_t) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::time::Duration;

    use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

    use super::*;

    #[test]
    fn a_listener_gets_the_options_of_another_socket() {
        let from = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        from.set_keepalive(true).unwrap();
        from.set_tcp_nodelay(true).unwrap();
        from.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(77))).unwrap();
        from.set_linger(Some(Duration::from_secs(3))).unwrap();
        from.set_recv_buffer_size(20_000).unwrap();
        let to = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        carry_over(from.as_fd(), to.as_fd());
        let to = SockRef::from(&to);
        assert!(to.keepalive().unwrap() && to.tcp_nodelay().unwrap());
        assert_eq!(to.tcp_keepalive_time().unwrap(), Duration::from_secs(77));
        assert_eq!(to.linger().unwrap(), Some(Duration::from_secs(3)));
        assert_eq!(to.recv_buffer_size().unwrap(), from.recv_buffer_size().unwrap());
        assert!(same_network(from.as_fd(), to.as_fd()));
        let plain = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        carry_over(plain.as_fd(), to.as_fd());
        assert!(!to.keepalive().unwrap() && to.linger().unwrap().is_none(), "the next server may want other ones");
    }
}

//! Options of sockets that only Linux has.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;

use socket2::Socket;

/// `IP_RECVERR` and `IPV6_RECVERR` (ip(7), ipv6(7)).
pub(super) fn tell_icmp_errors(socket: &Socket, ipv6: bool) -> io::Result<()> {
    let (level, option) =
        if ipv6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    set_option(socket, level, option, 1)
}

/// `SO_BINDTOIFINDEX` (socket(7)) needs no privilege on a socket that is bound to no interface yet.
pub(super) fn bind_to_interface(socket: &Socket, interface: NonZeroU32) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_BINDTOIFINDEX, interface.get().cast_signed())
}

fn set_option(socket: &Socket, level: i32, option: i32, value: i32) -> io::Result<()> {
    #[expect(unsafe_code, reason = "neither rustix nor socket2 has these options")]
    // SAFETY: the descriptor is open for the whole call, and pointer and length are those of `value`.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), size_of_val(&value) as u32)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

//! Makes the system ask for addresses: an empty datagram to an address on a link has to wait until ARP or Neighbor Discovery has resolved
//! it. Which of them answer, [`super::neighbours`] reports.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::model::Port;
use crate::scan::Address;
use crate::scan::strategy::Sent;

/// The discard service (RFC 863): a host that has it throws the datagram away.
const DISCARD: Port = Port::new(9).expect("not zero");

/// How many datagrams may wait on one socket. They are charged to its send buffer, which holds about 260 (socket(7), `wmem_default`).
const PER_SOCKET: usize = 128;

/// Sockets for questions: one at a time of each kind. A closed one's datagrams stay on their way.
#[derive(Debug, Default)]
pub(super) struct Asker {
    socket: Option<(bool, u32, Socket)>,
    sent: usize,
}

impl Asker {
    pub(super) fn ask(&mut self, address: Address) -> Sent {
        // What a socket reports first may be an error of an earlier question; a new one has none.
        for _ in 0..2 {
            match self.send(address) {
                Ok(()) => return Sent::Yes,
                Err(error) => {
                    self.socket = None;
                    if is_lack_of_room(&error) {
                        return Sent::NotNow;
                    }
                }
            }
        }
        Sent::Never
    }

    fn send(&mut self, address: Address) -> io::Result<()> {
        let to: SocketAddr = address.socket(DISCARD);
        let kind = (to.is_ipv6(), address.zone);
        if self.sent >= PER_SOCKET || self.socket.as_ref().is_none_or(|(ipv6, zone, _)| (*ipv6, *zone) != kind) {
            self.socket = Some((kind.0, kind.1, open(kind.0, kind.1)?));
            self.sent = 0;
        }
        self.sent += 1;
        match &self.socket {
            Some((.., socket)) => socket.send_to(&[], &SockAddr::from(to)).map(drop),
            None => Ok(()),
        }
    }
}

fn open(ipv6: bool, zone: u32) -> io::Result<Socket> {
    let domain = if ipv6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    // Without it the kernel keeps to itself that its table is full (`udp_send_skb`, net/ipv4/udp.c).
    #[cfg(target_os = "linux")]
    super::options::tell_icmp_errors(&socket, ipv6)?;
    if let Some(interface) = NonZeroU32::new(zone) {
        bind_to_interface(&socket, ipv6, interface)?;
    }
    Ok(socket)
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn bind_to_interface(socket: &Socket, ipv6: bool, interface: NonZeroU32) -> io::Result<()> {
    if ipv6 { socket.bind_device_by_index_v6(Some(interface)) } else { socket.bind_device_by_index_v4(Some(interface)) }
}

/// The routes choose.
#[cfg(windows)]
fn bind_to_interface(_socket: &Socket, _ipv6: bool, _interface: NonZeroU32) -> io::Result<()> {
    Ok(())
}

/// EAGAIN and ENOBUFS: the send buffer or the neighbor table is full. EMFILE: no descriptor is free.
fn is_lack_of_room(error: &io::Error) -> bool {
    #[cfg(unix)]
    let room = [rustix::io::Errno::NOBUFS, rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    #[cfg(windows)]
    let room = false;
    room || error.kind() == io::ErrorKind::WouldBlock
}

//! An echo request to all IPv6 hosts of a link (ff02::1, RFC 4291, 2.7.1). Hosts may keep silent; most do answer.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::scan::Address;
use crate::scan::strategy::Signal;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// ICMPv6 echo request and reply (RFC 4443, 4.1 and 4.2).
const REQUEST: u8 = 128;
const REPLY: u8 = 129;

/// How often the request is sent, since many simultaneous answers may get lost.
const TIMES: u8 = 3;

/// How long between two requests.
pub(in crate::scan) const APART: Duration = Duration::from_millis(100);

/// The socket for one of our addresses. Hosts answer from an address of the same scope.
pub(super) struct Multicast {
    socket: UdpSocket,
    interface: u32,
    times: u8,
    clock: Interval,
}

impl Multicast {
    /// # Errors
    /// What the system says: not permitted.
    pub(super) fn open(from: Ipv6Addr, interface: u32) -> io::Result<Self> {
        let kinds = [Type::DGRAM, Type::RAW];
        let open = |kind| Socket::new(Domain::IPV6, kind, Some(Protocol::ICMPV6));
        let socket = open(kinds[0]).or_else(|_| open(kinds[1]))?;
        socket.set_nonblocking(true)?;
        socket.set_multicast_if_v6(interface)?;
        socket.set_multicast_loop_v6(false)?;
        let zone = if from.is_unicast_link_local() { interface } else { 0 };
        socket.bind(&SocketAddrV6::new(from, 0, 0, zone).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let mut clock = interval(APART);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self { socket, interface, times: TIMES, clock })
    }

    /// Sends when it is time to, and waits for answers.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, heard: &mut Vec<Signal>) -> Poll<()> {
        while self.times > 0 && self.clock.poll_tick(context).is_ready() {
            self.times -= 1;
            self.send();
        }
        let mut bytes = [0; 256];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match self.socket.poll_recv_from(context, &mut buffer) {
                Poll::Ready(Ok(from)) if buffer.filled().first() == Some(&REPLY) => {
                    heard.extend(self.volunteer(from));
                }
                Poll::Ready(Ok(_)) => {}
                // The link may be gone; others may not.
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    fn send(&self) {
        // Type, code, checksum (the kernel's work), identifier, number, and eight bytes of nothing.
        let mut request = [0; 16];
        request[0] = REQUEST;
        request[7] = self.times;
        let to = SocketAddrV6::new(ALL_NODES, 0, 0, self.interface);
        let _ = self.socket.try_send_to(&request, to.into());
    }

    fn volunteer(&self, from: SocketAddr) -> Option<Signal> {
        let SocketAddr::V6(from) = from else { return None };
        Some(Signal::Volunteer(Address { ip: (*from.ip()).into(), zone: self.interface }))
    }
}

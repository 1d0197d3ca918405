//! Linux: the neighbor table and its changes, by netlink (rtnetlink(7)). Any process may read them.

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use netlink_packet_core::Parseable;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with};
use tokio::io::unix::AsyncFd;

use crate::scan::net::watch::watch;
use crate::scan::strategy::Signal;
use crate::scan::{Address, Mac};

/// The groups of news about links and neighbors (`RTMGRP_LINK`, `RTMGRP_NEIGH`, linux/rtnetlink.h).
const NEWS: u32 = 1 | 4;

/// A /22 in which all addresses fail at the same time still fits.
const RECEIVE_BUFFER: usize = 1 << 20;

/// The kernel fills at most so much at a time (netlink(7)).
const BUFFER: usize = 32 * 1024;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_NEIGHBOUR: u16 = 28;

/// A message that belongs to the answer to a question, and is no news (`NLM_F_MULTI`, netlink(7)).
const PART_OF_ANSWER: u16 = 2;

/// Changes of the neighbor table.
#[derive(Debug)]
pub(in crate::scan) struct Neighbours {
    kernel: AsyncFd<OwnedFd>,
    buffer: Vec<u8>,
}

impl Neighbours {
    /// Listens for news, and reports the neighbors that are known before anything is asked.
    ///
    /// # Errors
    /// What the kernel says, in sandboxes without netlink.
    pub(in crate::scan) fn open(known: &mut Vec<Signal>) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        let _ = set_socket_recv_buffer_size(&kernel, RECEIVE_BUFFER);
        bind(&kernel, &SocketAddrNetlink::new(0, NEWS))?;
        let mut this = Self { kernel: watch(kernel)?, buffer: vec![0; BUFFER] };
        this.ask_for_all()?;
        // The kernel answers in the call itself, so all of it is there.
        while !this.read(known)? {}
        Ok(this)
    }

    fn ask_for_all(&self) -> io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let question = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(question));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        send(self.kernel.get_ref(), &bytes, SendFlags::empty())?;
        Ok(())
    }

    /// Waits for news.
    pub(in crate::scan) fn poll(&mut self, context: &mut Context<'_>, news: &mut Vec<Signal>) -> Poll<()> {
        loop {
            match self.read(news) {
                Ok(_) if !news.is_empty() => return Poll::Ready(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match ready!(self.kernel.poll_read_ready(context)) {
                        Ok(mut readiness) => readiness.clear_ready(),
                        Err(_) => return Poll::Pending,
                    }
                    // What came before the readiness was cleared would not be reported again.
                    let _ = self.read(news);
                    if !news.is_empty() {
                        return Poll::Ready(());
                    }
                }
                // RunEvent were lost (ENOBUFS): the table itself has all of them.
                Err(_) if self.ask_for_all().is_ok() => {}
                Err(_) => return Poll::Pending,
            }
        }
    }

    /// Reads one packet. Whether it ended the answer to a question.
    fn read(&mut self, news: &mut Vec<Signal>) -> io::Result<bool> {
        let (length, _) = loop {
            match recv(self.kernel.get_ref(), &mut self.buffer[..], RecvFlags::empty()) {
                Err(Errno::INTR) => {}
                other => break other?,
            }
        };
        let mut rest = &self.buffer[..length];
        while !rest.is_empty() {
            let message = NetlinkBuffer::new_checked(rest).map_err(io::Error::other)?;
            match message.message_type() {
                DONE | ERROR => return Ok(true),
                kind => news.extend(signal(kind, message.flags() & PART_OF_ANSWER != 0, message.payload())),
            }
            rest = rest.get((message.length() as usize).next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(false)
    }
}

fn signal(kind: u16, is_answer: bool, payload: &[u8]) -> Option<Signal> {
    match kind {
        NEW_NEIGHBOUR => neighbour(&NeighbourMessage::parse(payload).ok()?, is_answer),
        NEW_LINK | DELETED_LINK => link(kind, payload),
        _ => None,
    }
}

fn neighbour(message: &NeighbourMessage, is_answer: bool) -> Option<Signal> {
    let address = address_of(message)?;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac),
        _ => None,
    });
    match message.header.state {
        NeighbourState::Failed => Some(Signal::NoNeighbour(address)),
        // As news it means that the host has just answered. Other states also come with time alone.
        NeighbourState::Reachable if !is_answer => Some(Signal::Neighbour(address, mac)),
        NeighbourState::Reachable
        | NeighbourState::Stale
        | NeighbourState::Delay
        | NeighbourState::Probe
        | NeighbourState::Permanent => Some(Signal::Cached(address, mac)),
        _ => None,
    }
}

/// The neighbor's address, and the interface that it is behind.
fn address_of(message: &NeighbourMessage) -> Option<Address> {
    let ip = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    })?;
    Some(Address { ip, zone: message.header.ifindex })
}

/// A link that is gone or was switched off (`struct ifinfomsg`, rtnetlink(7): index at 4, flags at 8).
fn link(kind: u16, payload: &[u8]) -> Option<Signal> {
    const UP: u32 = 1;
    let number = |at: usize| payload.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes));
    let gone = kind == DELETED_LINK || number(8)? & UP == 0;
    gone.then_some(Signal::LinkLost(number(4)?))
}

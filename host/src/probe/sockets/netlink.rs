//! The kernel's tables by netlink (sock_diag(7)).

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload, Parseable,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, SOCK_DIAG_BY_FAMILY};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags};
use rustix::fd::OwnedFd;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with};

use super::platform::Row;
use crate::model::Protocol;

/// Every state, with `TCP_BOUND_INACTIVE` (13), which the crate does not know yet. Kernels before 6.8 ignore it.
const ALL_STATES: StateFlags = StateFlags::from_bits_retain((1 << 14) - 1);

/// `TCP_LISTEN` (10) alone. It spares the kernel the walk through its table of connections, which is the larger by far.
const LISTENING: StateFlags = StateFlags::from_bits_retain(1 << 10);

/// The kernel fills at most so much at a time (netlink(7)).
const BUFFER: usize = 32 * 1024;

/// All sockets of the protocol, of both families.
///
/// # Errors
/// What the kernel says: ENOENT without the sock_diag modules, EPERM or EPROTONOSUPPORT in some sandboxes.
pub(super) fn read(protocol: Protocol) -> io::Result<Vec<Row>> {
    read_states(protocol, ALL_STATES)
}

/// Those that accept any peer. UDP has one small table for all.
///
/// # Errors
/// As for [`read`].
pub(super) fn read_listeners(protocol: Protocol) -> io::Result<Vec<Row>> {
    read_states(protocol, if protocol == Protocol::Tcp { LISTENING } else { ALL_STATES })
}

/// TCP sockets that are connected, `TCP_ESTABLISHED` (1) and `TCP_CLOSE_WAIT` (8).
///
/// # Errors
/// As for [`read`].
pub(super) fn read_connected() -> io::Result<Vec<Row>> {
    read_states(Protocol::Tcp, StateFlags::from_bits_retain(1 << 1 | 1 << 8))
}

fn read_states(protocol: Protocol, states: StateFlags) -> io::Result<Vec<Row>> {
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(netlink::SOCK_DIAG))?;
    let mut rows = Vec::new();
    let (v4, v6) = (SocketId::new_v4(), SocketId::new_v6());
    ask(&kernel, &request(protocol, AF_INET, states.clone(), v4), &mut rows)?;
    // A kernel without IPv6 has no table of it.
    match ask(&kernel, &request(protocol, AF_INET6, states, v6), &mut rows) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other?,
    }
    Ok(rows)
}

fn request(protocol: Protocol, family: u8, states: StateFlags, socket_id: SocketId) -> Vec<u8> {
    let protocol = match protocol {
        Protocol::Tcp => IPPROTO_TCP,
        Protocol::Udp => IPPROTO_UDP,
    };
    packet(InetRequest { family, protocol, extensions: ExtensionFlags::empty(), states, socket_id })
}

fn ask(kernel: &OwnedFd, request: &[u8], rows: &mut Vec<Row>) -> io::Result<()> {
    send(kernel, request, SendFlags::empty())?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (length, _) = recv(kernel, &mut buffer[..], RecvFlags::empty())?;
        if is_last(&buffer[..length], rows)? {
            return Ok(());
        }
    }
}

fn packet(request: InetRequest) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(SockDiagMessage::InetRequest(request)));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Takes the rows out of one answer, which holds several messages; says whether the dump is complete.
fn is_last(mut answer: &[u8], rows: &mut Vec<Row>) -> io::Result<bool> {
    const ERROR: u16 = 2;
    const DONE: u16 = 3;
    while !answer.is_empty() {
        let message = NetlinkBuffer::new_checked(answer).map_err(io::Error::other)?;
        match message.message_type() {
            DONE => return Ok(true),
            ERROR => return Err(errno(message.payload())),
            // Only the head matters. Attributes, of which kernels keep inventing new ones, are not read.
            SOCK_DIAG_BY_FAMILY => {
                rows.push(row(&InetResponseHeader::parse(message.payload()).map_err(io::Error::other)?));
            }
            _ => {}
        }
        let aligned = (message.length() as usize).next_multiple_of(4);
        answer = answer.get(aligned..).unwrap_or_default();
    }
    Ok(false)
}

/// An error message begins with the negative error number.
fn errno(payload: &[u8]) -> io::Error {
    match payload.first_chunk() {
        Some(&code) => io::Error::from_raw_os_error(-i32::from_ne_bytes(code)),
        None => io::ErrorKind::InvalidData.into(),
    }
}

fn row(socket: &InetResponseHeader) -> Row {
    Row {
        address: socket.socket_id.source_address,
        port: socket.socket_id.source_port,
        peer_port: socket.socket_id.destination_port,
        state: socket.state,
        inode: socket.inode.into(),
        uid: socket.uid,
    }
}

//! How callers and holders talk: messages with sockets attached, over a Unix socket that keeps them apart (unix(7), SEQPACKET).

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, recvmsg, sendmsg,
    socket_with, socketpair,
};
use serde::{Deserialize, Serialize};
use socket2::Socket;

use super::{HeldPort, HeldSocket};
use crate::model::{HoldId, HoldKind, Port, ProcessId, Protocol};

/// How long either side waits for the other. A holder does nothing else, so it answers immediately.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The longest message: a request that names all ports.
const LONGEST: usize = 128 * 1024;

/// The most descriptors that one message carries (`SCM_MAX_FD`, unix(7)).
const MOST_SOCKETS: usize = 253;

/// What is said.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Message {
    /// To a new holder: who you are. The lock of its file and its control socket come along.
    Begin(Begin),
    /// Here is a port; its sockets come along, in the order of the addresses.
    Port(PortMessage),
    /// To a new holder: the reservations are in the registry. Without this word, a holder ends with its caller.
    Commit,
    /// To a holder: send copies of the sockets of these ports.
    Share(Vec<(Protocol, Port)>),
    /// To a holder: close the sockets of these ports, and end when they were the last.
    Forget(Vec<(Protocol, Port)>),
    /// It is done.
    Done,
    /// It is not done, and why.
    Failed(String),
}

/// What a new holder has to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Begin {
    pub(super) directory: OsString,
    pub(super) id: HoldId,
    pub(super) until: Until,
}

/// When a hold ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Until {
    /// Only when it is released.
    Released,
    /// At this time of `CLOCK_BOOTTIME`.
    SinceBoot(Duration),
    /// When this process ends.
    Process(ProcessId),
}

/// A port without its sockets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PortMessage {
    kind: HoldKind,
    protocol: Protocol,
    port: Port,
    addresses: Vec<IpAddr>,
}

/// One end of a conversation.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends of a new one, with another process' end to come. Only the first of them gives up waiting.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self(ours).patient(PATIENCE)?, theirs))
    }

    /// The end that this process was started with.
    pub(super) fn inherited(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Calls the holder that listens at the path. A process of another user is refused.
    pub(super) fn call(path: &Path) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        at_address(path, |address| connect(&socket, address))?;
        let channel = Self(socket).patient(PATIENCE)?;
        channel.refuse_strangers()?;
        Ok(channel)
    }

    /// Takes the next caller of a control socket. This end never waits for the other: what cannot be said or heard right now is
    /// [`io::ErrorKind::WouldBlock`].
    pub(super) fn answer(control: impl AsFd) -> io::Result<Self> {
        let channel = Self(accept_with(control, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?);
        channel.refuse_strangers()?;
        Ok(channel)
    }

    fn patient(self, patience: Duration) -> io::Result<Self> {
        set_socket_timeout(&self.0, Timeout::Recv, Some(patience))?;
        set_socket_timeout(&self.0, Timeout::Send, Some(patience))?;
        Ok(self)
    }

    /// Any process that reaches the socket's directory should be the same user's anyway; the kernel knows for certain (`SO_PEERCRED`,
    /// unix(7)).
    fn refuse_strangers(&self) -> io::Result<()> {
        if peer_user(&self.0)? == rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "the other side is another user's process"))
    }

    /// Says something, with descriptors attached.
    pub(super) fn send(&self, message: &Message, attached: &[BorrowedFd<'_>]) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !attached.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(attached)) {
            return Err(io::Error::other("a port with more addresses than one message carries sockets"));
        }
        sendmsg(&self.0, &[IoSlice::new(&bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// Says which port comes, with its sockets.
    pub(super) fn send_port(&self, held: &HeldPort) -> io::Result<()> {
        let HeldPort { kind, protocol, port, ref sockets } = *held;
        let message = PortMessage { kind, protocol, port, addresses: held.addresses().collect() };
        self.send(&Message::Port(message), &sockets.iter().map(|held| held.socket.as_fd()).collect::<Vec<_>>())
    }

    /// What the other side says next, and what it attached; none when it has hung up.
    pub(super) fn receive(&self) -> io::Result<Option<(Message, Vec<OwnedFd>)>> {
        let mut bytes = vec![0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_SOCKETS))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            match recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                Err(rustix::io::Errno::INTR) => {}
                received => break received?,
            }
        };
        if received.bytes == 0 {
            return Ok(None);
        }
        let attached = ancillary.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => descriptors.collect(),
            _ => Vec::new(),
        });
        Ok(Some((serde_json::from_slice(&bytes[..received.bytes])?, attached.collect())))
    }

    /// The answer to a question, where only [`Message::Done`] is good news.
    pub(super) fn done(&self) -> io::Result<()> {
        match self.receive()? {
            Some((Message::Done, _)) => Ok(()),
            Some((Message::Failed(why), _)) => Err(io::Error::other(why)),
            Some(_) => Err(io::Error::other("an answer to something else")),
            None => Err(io::Error::other("it hung up")),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl PortMessage {
    /// The port with the sockets that came along.
    pub(super) fn with(self, sockets: Vec<OwnedFd>) -> HeldPort {
        let sockets = self.addresses.into_iter().zip(sockets);
        let sockets = sockets.map(|(address, socket)| HeldSocket { address, socket: Socket::from(socket) });
        HeldPort { kind: self.kind, protocol: self.protocol, port: self.port, sockets: sockets.collect() }
    }
}

/// The user of the process on the other side, at the time of its connect(2) or listen(2).
///
/// (rustix has this as well, but takes the pid 0 of a process in another pid namespace for an error.)
fn peer_user(socket: &OwnedFd) -> io::Result<u32> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = size_of::<libc::ucred>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "neither the standard library nor socket2 has this option")]
    // SAFETY: the socket is open for the whole call, and the pointers lead to a structure and to its length.
    let result = unsafe {
        let (option, length) = ((&raw mut peer).cast(), &raw mut length);
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, option, length)
    };
    if result == 0 { Ok(peer.uid) } else { Err(io::Error::last_os_error()) }
}

/// A control socket at the path, for this user alone, whatever the umask says. No process can call before [`listen_to_callers`].
pub(super) fn control_socket(path: &Path) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
    at_address(path, |address| bind(&socket, address))?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(socket)
}

/// From here on calls are taken, and callers see this process' credentials.
pub(super) fn listen_to_callers(control: impl AsFd) -> io::Result<()> {
    Ok(listen(control, 64)?)
}

/// A socket's address has room for some 100 bytes (`sun_path`, unix(7)), and a path may be longer: then the way leads through a
/// descriptor of its directory.
fn at_address(path: &Path, use_it: impl FnOnce(&SocketAddrUnix) -> rustix::io::Result<()>) -> io::Result<()> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return Ok(use_it(&address)?);
    }
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let directory = std::fs::File::open(directory)?;
    let short = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name);
    Ok(use_it(&SocketAddrUnix::new(&short)?)?)
}

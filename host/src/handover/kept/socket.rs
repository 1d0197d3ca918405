//! One socket that keeps a port, and the server that has it too.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Socket, Type};

use super::Reach;
use super::server::Server;

/// The queue for clients that come before the server does. listen(2) caps it at `net.core.somaxconn`, and the server's own
/// listen(2) sets what it wants.
const BACKLOG: i32 = 4096;

/// How often, and after which pauses, a port that old connections keep is asked for again.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_micros(250);

/// A socket that keeps a port. Its file description may be a server's as well: both then have the same socket, and the one
/// that closes it first leaves it to the other.
#[derive(Debug)]
pub(crate) struct GuardSocket {
    pub(crate) socket: Socket,
    pub(crate) address: SocketAddr,
    pub(crate) only_v6: bool,
    /// Whether it is for one network device alone (`SO_BINDTODEVICE`, socket(7)).
    confined: bool,
    /// Whether a server has made it.
    joined: bool,
    /// Its number in `/proc/PID/fd` (`socket:[INODE]`, proc_pid_fd(5)).
    inode: u64,
    /// The process that was last seen to have it.
    server: Option<Server>,
    /// What becomes readable when that process ends.
    process: Option<OwnedFd>,
    /// Whether that server lets others of its kind in (`SO_REUSEPORT`, socket(7)).
    pub(crate) shared: bool,
    /// Whether any process ever had it.
    had_server: bool,
    /// Since when no process but ours has it.
    alone_since: Instant,
}

impl GuardSocket {
    /// A socket of ours that is bound, or (`joined`) one of a server that will be.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn new(socket: Socket, address: SocketAddr, joined: bool) -> io::Result<Self> {
        let only_v6 = address.is_ipv6() && socket.only_v6()?;
        let confined = socket.device()?.is_some();
        let inode = inode(&socket)?;
        Ok(Self {
            socket,
            address,
            only_v6,
            confined,
            joined,
            inode,
            server: None,
            process: None,
            shared: false,
            had_server: false,
            alone_since: Instant::now(),
        })
    }

    /// The addresses that it answers for.
    pub(crate) fn reach(&self) -> Reach {
        Reach::new(self.address, self.only_v6)
    }

    /// Whether it keeps the port on all addresses on which the other does.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        !self.confined && self.reach().covers(other.reach())
    }

    /// Whether the other is this very socket.
    pub(crate) fn is(&self, other: &Socket) -> bool {
        inode(other).is_ok_and(|inode| inode == self.inode)
    }

    /// Takes clients in from now on. They queue until a server accepts them. A UDP socket does so once it is bound.
    ///
    /// As long as `SO_REUSEADDR` is off, no other socket can join. But what is left of earlier connections would keep us out, as it
    /// keeps out every socket without that option. Connections that are just being unmade are gone in a moment; for others, and only
    /// for them, it has to be on while listen(2) is called. A socket that listens keeps all others out by itself, and its connections
    /// inherit the option, so that the next server can listen beside their remnants.
    ///
    /// # Errors
    /// What listen(2) says.
    pub(crate) fn listen(&self) -> io::Result<()> {
        if !self.is_tcp() || self.listens() {
            return Ok(());
        }
        let mut listening = patiently(|| self.socket.listen(BACKLOG));
        if is_in_use(&listening) {
            self.socket.set_reuse_address(true)?;
            listening = self.socket.listen(BACKLOG);
        }
        match listening {
            Ok(()) => self.socket.set_reuse_address(true),
            Err(error) => {
                let _ = self.socket.set_reuse_address(false);
                Err(error)
            }
        }
    }

    /// Takes no clients in anymore: those that queue are reset, new ones refused. The port stays bound (shutdown(2) on a listener
    /// whose port was chosen explicitly, net/ipv4/inet_connection_sock.c), and closed to others.
    pub(crate) fn refuse(&self) {
        self.close_gate();
        if self.is_tcp() && self.listens() {
            let _ = self.socket.shutdown(Shutdown::Read);
        }
    }

    /// Lets in no other socket that has `SO_REUSEADDR`, whether it listens or not.
    pub(crate) fn close_gate(&self) {
        let _ = self.socket.set_reuse_address(false);
    }

    /// Whether clients are taken in.
    pub(crate) fn listens(&self) -> bool {
        self.socket.is_listener().unwrap_or(false)
    }

    /// Notes that this process has it, from now on.
    pub(crate) fn given_to(&mut self, server: Server, process: Option<OwnedFd>, shared: bool) {
        self.server = Some(server);
        self.process = process;
        self.had_server = true;
        self.shared = shared;
    }

    /// Whether a process that comes from us has it now.
    pub(crate) fn has_server(&self) -> bool {
        self.server.is_some_and(|server| server.has(self.inode) || Server::find_below(self.inode).is_some())
    }

    /// Whether any process but this one has it now. That process is remembered.
    pub(crate) fn is_served(&mut self, now: Instant) -> bool {
        if !self.server.is_some_and(|server| server.has(self.inode)) {
            // Only if there was one: a socket that was given to no process cannot belong to another one.
            let find = || Server::find_below(self.inode).or_else(|| Server::find(self.inode));
            self.server = self.server.and_then(|_| find());
        }
        if self.server.is_some() {
            self.alone_since = now;
        }
        self.server.is_some()
    }

    /// What to watch: the end of its server, and while there is none its queue (if wanted).
    pub(crate) fn waits_for(&self, queue: bool) -> Option<BorrowedFd<'_>> {
        match &self.process {
            Some(process) => Some(process.as_fd()),
            None => (queue && self.might_queue()).then(|| self.socket.as_fd()),
        }
    }

    /// Whether the process has ended that it was given to. Then it need not be watched anymore; another may have it still.
    pub(crate) fn server_has_ended(&mut self) -> bool {
        self.process.take_if(|process| is_readable(process.as_fd())).is_some()
    }

    /// Whether clients wait in its queue for a server.
    pub(crate) fn has_queue(&self) -> bool {
        self.might_queue() && is_readable(self.socket.as_fd())
    }

    /// Whether clients wait here for the next server, if there are any.
    fn might_queue(&self) -> bool {
        self.had_server && self.is_unserved() && self.is_tcp() && self.listens()
    }

    /// Whether no process but this one had it when it was last looked.
    pub(crate) fn is_unserved(&self) -> bool {
        self.server.is_none()
    }

    /// Whether it was ours from the beginning.
    pub(crate) fn is_ours(&self) -> bool {
        !self.joined
    }

    /// Whether any process ever had it.
    pub(crate) fn had_server(&self) -> bool {
        self.had_server
    }

    /// For how long no process but ours has had it.
    pub(crate) fn alone_for(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.alone_since)
    }

    /// Starts counting that time anew.
    pub(crate) fn alone_from(&mut self, now: Instant) {
        self.alone_since = now;
    }

    fn is_tcp(&self) -> bool {
        self.socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
    }
}

/// Tries again for a few milliseconds while the port is in use: connections that are just being unmade are gone then.
pub(super) fn patiently<T>(attempt: impl Fn() -> io::Result<T>) -> io::Result<T> {
    let mut result = attempt();
    for _ in 0..TRIES {
        if !is_in_use(&result) {
            break;
        }
        thread::sleep(PAUSE);
        result = attempt();
    }
    result
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

fn is_in_use<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == ErrorKind::AddrInUse)
}

fn inode(socket: &Socket) -> io::Result<u64> {
    Ok(rustix::fs::fstat(socket.as_fd())?.st_ino)
}

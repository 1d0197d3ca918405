//! What a thread that calls bind(2) has in its hands: the address, and the socket.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, RawFd};
use std::os::unix::fs::FileExt;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

use super::notify::Notification;

/// The shortest addresses that bind(2) takes: `struct sockaddr_in`, and `struct sockaddr_in6` without its scope (RFC 2133).
const SHORTEST_V4: usize = 16;
const SHORTEST_V6: usize = 24;
/// `struct sockaddr_in6`.
const LONGEST: usize = 28;

/// The address that the thread wants to bind to, read from its memory; none when it is no address of IP, or cannot be read.
pub(crate) fn address(notification: &Notification) -> Option<SocketAddr> {
    let mut bytes = [0; LONGEST];
    let length = usize::try_from(notification.length).ok()?.min(LONGEST);
    let memory = File::open(format!("/proc/{}/mem", notification.thread)).ok()?;
    memory.read_exact_at(&mut bytes[..length], notification.address).ok()?;
    parse(&bytes, length)
}

/// The layout is that of ip(7) and ipv6(7): the family in the machine's byte order, the port in the network's.
fn parse(bytes: &[u8; LONGEST], length: usize) -> Option<SocketAddr> {
    let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
    let port = u16::from_be_bytes([bytes[2], bytes[3]]);
    match family {
        libc::AF_INET if length >= SHORTEST_V4 => Some(SocketAddrV4::new(Ipv4Addr::from(word(4)), port).into()),
        libc::AF_INET6 if length >= SHORTEST_V6 => {
            let address: [u8; 16] = bytes[8..24].try_into().ok()?;
            let (flow, scope) = (u32::from_be_bytes(word(4)), u32::from_ne_bytes(word(24)));
            Some(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope).into())
        }
        _ => None,
    }
}

/// The process that a thread belongs to (`Tgid`, proc_pid_status(5)).
pub(crate) fn process_of(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok())
}

/// A copy of a descriptor of the process: the same open socket (pidfd_getfd(2), Linux 5.6). Whoever may trace the process may have
/// it: the same user, and with Yama an ancestor.
pub(crate) fn socket(pid: u32, fd: RawFd) -> rustix::io::Result<Socket> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(rustix::io::Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    pidfd_getfd(process.as_fd(), fd, PidfdGetfdFlags::empty()).map(Socket::from)
}

/// What the thread's descriptor table says of one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// Whether it closes on exec.
    pub(crate) cloexec: bool,
    /// Whether its socket can be exchanged for another without anyone noticing: no other descriptor is the same socket, and no epoll
    /// set watches it. An epoll set watches what a descriptor stood for when it was added (epoll(7)).
    pub(crate) exchangeable: bool,
}

/// Looks at a descriptor; none when the thread's table cannot be read.
pub(crate) fn descriptor(thread: u32, fd: RawFd) -> Option<Descriptor> {
    let link = |fd: RawFd| fs::read_link(format!("/proc/{thread}/fd/{fd}")).ok();
    let info = |fd: RawFd| fs::read_to_string(format!("/proc/{thread}/fdinfo/{fd}")).ok();
    let own = link(fd)?;
    let others = fs::read_dir(format!("/proc/{thread}/fd")).ok()?;
    let others = others.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let exchangeable = others.filter(|&other| other != fd).all(|other| match link(other) {
        Some(target) if target == own => false,
        Some(target) if target.as_os_str() == "anon_inode:[eventpoll]" => {
            info(other).is_some_and(|info| !watches(&info, fd))
        }
        _ => true,
    });
    Some(Descriptor { cloexec: closes_on_exec(&info(fd)?), exchangeable })
}

/// `flags:` is octal (proc_pid_fdinfo(5)).
fn closes_on_exec(info: &str) -> bool {
    let flags = info.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
}

/// One line `tfd: FD events: ...` for each watched descriptor (proc_pid_fdinfo(5)).
fn watches(info: &str, fd: RawFd) -> bool {
    let mut watched =
        info.lines().filter_map(|line| line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok());
    watched.any(|watched: RawFd| watched == fd)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let mut bytes = [0; LONGEST];
        bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
        bytes[2..8].copy_from_slice(&[0x1F, 0x90, 127, 0, 0, 1]);
        assert_eq!(parse(&bytes, 16), Some("127.0.0.1:8080".parse().unwrap()));
        assert_eq!(parse(&bytes, 15), None);
        bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        bytes[4..].fill(0);
        bytes[23] = 1;
        assert_eq!(parse(&bytes, 28), Some("[::1]:8080".parse().unwrap()));
        assert_eq!(parse(&bytes, 20), None);
        bytes[..2].copy_from_slice(&(libc::AF_UNIX as u16).to_ne_bytes());
        assert_eq!(parse(&bytes, 28), None);
    }

    #[test]
    fn a_descriptor_is_exchangeable_unless_it_has_a_twin_or_is_watched() {
        use rustix::event::epoll;
        let me = std::process::id();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let look = || descriptor(me, listener.as_raw_fd()).unwrap();
        assert_eq!(look(), Descriptor { cloexec: true, exchangeable: true });

        let twin = listener.try_clone().unwrap();
        assert!(!look().exchangeable);
        drop(twin);

        let set = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&set, &listener, epoll::EventData::new_u64(0), epoll::EventFlags::IN).unwrap();
        assert!(!look().exchangeable);
        drop(set);
        assert!(look().exchangeable);
    }

    #[test]
    fn a_descriptor_can_be_had_twice() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let same = socket(std::process::id(), listener.as_raw_fd()).unwrap();
        assert_eq!(same.local_addr().unwrap().as_socket(), Some(listener.local_addr().unwrap()));
        assert_eq!(process_of(std::process::id()), Some(std::process::id()));
    }
}

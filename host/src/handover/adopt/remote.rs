//! What a thread that calls bind(2) has in its hands: the address, and the socket.

use std::fs::{self, File};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{Mode, OFlags, RawDir, open, readlinkat_raw};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use socket2::Socket;

use super::notify::Notification;

/// The shortest addresses that bind(2) takes: `struct sockaddr_in`, and `struct sockaddr_in6` without its scope (RFC 2133).
const SHORTEST_V4: usize = 16;
const SHORTEST_V6: usize = 24;
/// `struct sockaddr_in6`.
const LONGEST: usize = 28;

/// The address that the thread wants to bind to, read from its memory; none when it is no address of IP, or in no memory at all.
///
/// # Errors
/// What the system says of the memory.
pub(crate) fn address(notification: &Notification) -> Result<Option<SocketAddr>, Errno> {
    let mut bytes = [0; LONGEST];
    let length = usize::try_from(notification.length).unwrap_or(LONGEST).min(LONGEST);
    match peek(notification.thread, notification.address, &mut bytes[..length]) {
        Ok(()) => Ok(parse(&bytes, length)),
        // The kernel will say the same.
        Err(Errno::FAULT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Reads memory of a thread: by process_vm_readv(2), which is one call, and where a filter forbids that, from `/proc/TID/mem`.
///
/// # Errors
/// EFAULT where there is none; EPERM or EACCES where it may not be read (ptrace(2), access mode checking).
pub(crate) fn peek(thread: u32, address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
    let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
    let pid = libc::pid_t::try_from(thread).map_err(|_| Errno::SRCH)?;
    #[expect(unsafe_code, reason = "rustix has no process_vm_readv(2)")]
    // SAFETY: the kernel writes at most as many bytes as the slice has; what it reads is another process' memory.
    let read = unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read) {
        Ok(read) if read == bytes.len() => Ok(()),
        Ok(_) => Err(Errno::FAULT),
        Err(_) => match last_error() {
            Errno::PERM | Errno::NOSYS => peek_file(thread, address, bytes),
            errno => Err(errno),
        },
    }
}

fn peek_file(thread: u32, address: u64, bytes: &mut [u8]) -> Result<(), Errno> {
    let memory = File::open(format!("/proc/{thread}/mem")).map_err(|error| errno(&error))?;
    memory.read_exact_at(bytes, address).map_err(|error| match errno(&error) {
        Errno::IO => Errno::FAULT,
        other => other,
    })
}

fn last_error() -> Errno {
    errno(&std::io::Error::last_os_error())
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
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
///
/// # Errors
/// What the system says.
pub(crate) fn process_of(thread: u32) -> Result<u32, Errno> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).map_err(|error| errno(&error))?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok()).ok_or(Errno::SRCH)
}

/// A copy of a descriptor of the process: the same open socket (pidfd_getfd(2), Linux 5.6). Any process that may trace that
/// one may have it: one of the same user, and with Yama an ancestor. With it comes what becomes readable when the process ends.
///
/// # Errors
/// What the system says; EBADF: there is no such descriptor.
pub(crate) fn socket(pid: u32, fd: RawFd) -> Result<(OwnedFd, Socket), Errno> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let socket = pidfd_getfd(process.as_fd(), fd, PidfdGetfdFlags::empty())?;
    Ok((process, Socket::from(socket)))
}

/// What the thread's descriptor table says of one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Descriptor {
    /// Whether it closes on exec.
    pub(crate) cloexec: bool,
    /// Whether its socket can be exchanged for another without any process noticing: no other descriptor is the same socket, and no epoll
    /// set watches it. An epoll set watches what a descriptor stood for when it was added (epoll(7)).
    pub(crate) exchangeable: bool,
}

/// Whether the thread's descriptor table may be looked at, tried with the standard input: it may be closed, but not forbidden.
///
/// # Errors
/// What the system says.
pub(crate) fn try_table(thread: u32) -> Result<(), Errno> {
    let table = table(thread)?;
    match link(&table, b"0", &mut [0; LINK]) {
        Ok(_) => info(thread, 0).map(drop),
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Looks at a descriptor, and at all others of the thread. There may be thousands, so each costs one call, relative to their directory.
///
/// # Errors
/// What the system says of the thread's table; EBADF: there is no such descriptor.
pub(crate) fn descriptor(thread: u32, fd: RawFd) -> Result<Descriptor, Errno> {
    let info = |fd| info(thread, fd);
    let table = table(thread)?;
    let absent = |errno| if errno == Errno::NOENT { Errno::BADF } else { errno };
    let (mut own, mut other) = ([0; LINK], [0; LINK]);
    let own = link(&table, fd.to_string().as_bytes(), &mut own).map_err(absent)?;
    let mut space = Vec::with_capacity(TABLE);
    let mut entries = RawDir::new(&table, space.spare_capacity_mut());
    let mut exchangeable = true;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let Some(number) = str::from_utf8(name).ok().and_then(|name| name.parse::<RawFd>().ok()) else { continue };
        exchangeable &= number == fd
            || match link(&table, name, &mut other) {
                Ok(target) if target == own => false,
                Ok(target) if target == b"anon_inode:[eventpoll]" => info(number).is_ok_and(|info| !watches(&info, fd)),
                _ => true,
            };
        if !exchangeable {
            break;
        }
    }
    Ok(Descriptor { cloexec: closes_on_exec(&info(fd)?), exchangeable })
}

fn table(thread: u32) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    open(format!("/proc/{thread}/fd"), flags, Mode::empty())
}

fn info(thread: u32, fd: RawFd) -> Result<String, Errno> {
    fs::read_to_string(format!("/proc/{thread}/fdinfo/{fd}")).map_err(|error| errno(&error))
}

/// Longer than any link that matters here: sockets and event polls have short ones. Of others the beginning is enough.
const LINK: usize = 64;
/// For a thousand entries or so in one call.
const TABLE: usize = 32 * 1024;

fn link<'a>(table: &OwnedFd, name: &[u8], space: &'a mut [u8; LINK]) -> Result<&'a [u8], Errno> {
    readlinkat_raw(table, name, &mut space[..]).map(|length| &space[..length])
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
        let (_, same) = socket(std::process::id(), listener.as_raw_fd()).unwrap();
        assert_eq!(same.local_addr().unwrap().as_socket(), Some(listener.local_addr().unwrap()));
        assert_eq!(process_of(std::process::id()), Ok(std::process::id()));
    }
}

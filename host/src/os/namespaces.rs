//! Which network namespaces there still are (Linux).
//!
//! The kernel has no list of them. One lives while a thread is in it, a descriptor or a mount refers to it, or a socket of it is open; so
//! all of these are looked at. What cannot be looked at may be what keeps one alive, so that the list is complete or there is none: it
//! takes root, outside of any container.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::fstat;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::{ProcView, view_of_processes};

/// The inode of the pid namespace that the machine starts with (`PROC_PID_INIT_INO`, linux/proc_ns.h).
const ALL_PROCESSES: u64 = 0xEFFF_FFFC;
/// Gives a descriptor of a socket's network namespace (linux/sockios.h).
const SIOCGSKNS: libc::Ioctl = 0x894C;

/// The inodes of all network namespaces; none where not all can be seen.
pub(super) fn network_namespaces() -> Option<HashSet<u64>> {
    let sees_all = fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.ino() == ALL_PROCESSES)
        && view_of_processes() == ProcView::Ours;
    if !sees_all || !rustix::process::geteuid().is_root() {
        return None;
    }
    let mut found = Found::default();
    // Twice, because processes start others and end while they are looked at.
    (0..2).try_for_each(|_| found.look_around()).ok()?;
    // Mounts of a namespace that no process is in cannot be listed.
    found.referred_mounts.is_subset(&found.mounts).then_some(found.networks)
}

#[derive(Default)]
struct Found {
    networks: HashSet<u64>,
    /// The mount namespaces that processes are in.
    mounts: HashSet<u64>,
    /// Those that something refers to.
    referred_mounts: HashSet<u64>,
    /// The mount namespaces, with the root directories in them, whose mounts have been read: a process sees what is below its root.
    read: HashSet<(u64, (u64, u64))>,
}

impl Found {
    fn look_around(&mut self) -> io::Result<()> {
        for entry in fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            unless_ended(self.add_process(pid), &entry.path())?;
        }
        Ok(())
    }

    fn add_process(&mut self, pid: u32) -> io::Result<()> {
        for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread = thread?.path();
            unless_ended(self.add_thread(pid, &thread), &thread)?;
        }
        Ok(())
    }

    fn add_thread(&mut self, pid: u32, thread: &Path) -> io::Result<()> {
        self.networks.insert(fs::metadata(thread.join("ns/net"))?.ino());
        let mounts = fs::metadata(thread.join("ns/mnt"))?.ino();
        self.mounts.insert(mounts);
        let root = fs::metadata(thread.join("root"))?;
        if self.read.insert((mounts, (root.dev(), root.ino()))) {
            let text = fs::read(thread.join("mountinfo"))?;
            String::from_utf8_lossy(&text).lines().filter_map(namespace_mounted).for_each(|link| self.refer(link));
        }
        let number = thread.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(pid);
        if number != pid {
            return shares_descriptors(pid, number);
        }
        for descriptor in fs::read_dir(thread.join("fd"))? {
            let descriptor = descriptor?.path();
            match self.add_descriptor(pid, thread, &descriptor) {
                Err(_) if fs::symlink_metadata(&descriptor).is_err() => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// What was opened by the path of a mount has that as its link; its inode is in its `fdinfo` all the same. A file of another file system
    /// that has this number by chance only makes a namespace look alive.
    fn add_descriptor(&mut self, pid: u32, thread: &Path, descriptor: &Path) -> io::Result<()> {
        let link = fs::read_link(descriptor)?;
        let link = link.to_string_lossy();
        if link.starts_with("socket:[") {
            let number = descriptor.file_name().and_then(|name| name.to_str()?.parse().ok());
            self.networks.extend(network_of_socket(pid, number.unwrap_or(-1))?);
            return Ok(());
        }
        self.refer(&link);
        if link.starts_with('/') {
            let number = descriptor.file_name().unwrap_or_default();
            let info = fs::read_to_string(thread.join("fdinfo").join(number))?;
            let inode = info.lines().find_map(|line| line.strip_prefix("ino:")?.trim().parse().ok());
            self.networks.insert(inode.ok_or_else(|| io::Error::other("this kernel does not tell the inode"))?);
        }
        Ok(())
    }

    fn refer(&mut self, link: &str) {
        let of = |kind: &str| link.strip_prefix(kind)?.strip_suffix(']')?.parse::<u64>().ok();
        self.networks.extend(of("net:["));
        self.referred_mounts.extend(of("mnt:["));
    }
}

/// `net:[4026532008]` of a line of mountinfo(5) about a namespace's file: the root is the fourth field, the type stands after the dash.
fn namespace_mounted(line: &str) -> Option<&str> {
    let (mount, file_system) = line.split_once(" - ")?;
    file_system.starts_with("nsfs ").then(|| mount.split(' ').nth(3)).flatten()
}

/// An error about a process or a thread that has ended meanwhile is none: it has let go of everything.
fn unless_ended(result: io::Result<()>, path: &Path) -> io::Result<()> {
    let has_ended = || match fs::read(path.join("stat")) {
        // The state stands after the name (proc_pid_stat(5)).
        Ok(stat) => {
            let name_end = stat.iter().rposition(|&byte| byte == b')');
            name_end.is_some_and(|end| matches!(stat.get(end + 2), Some(b'Z' | b'X')))
        }
        Err(error) => matches!(Errno::from_io_error(&error), Some(Errno::NOENT | Errno::SRCH)),
    };
    if result.is_err() && has_ended() { Ok(()) } else { result }
}

/// Makes sure that a thread has the descriptors of its process, as nearly all do.
#[expect(unsafe_code, reason = "rustix has no kcmp(2)")]
fn shares_descriptors(pid: u32, thread: u32) -> io::Result<()> {
    /// linux/kcmp.h.
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: it only makes a system call.
    match unsafe { libc::syscall(libc::SYS_kcmp, pid, thread, KCMP_FILES, 0, 0) } {
        0 => Ok(()),
        -1 => Err(io::Error::last_os_error()),
        // Its sockets cannot be had by the number of the process.
        _ => Err(io::Error::other("a thread with descriptors of its own")),
    }
}

/// The network namespace of another process' socket; none when that has been closed meanwhile.
#[expect(unsafe_code, reason = "rustix has no SIOCGSKNS")]
fn network_of_socket(pid: u32, descriptor: i32) -> io::Result<Option<u64>> {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
    let process = pidfd_open(raw, PidfdFlags::empty())?;
    let socket = match pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty()) {
        Err(Errno::BADF | Errno::SRCH) => return Ok(None),
        result => result?,
    };
    // SAFETY: it only makes a system call, whose result is a new descriptor or -1.
    let namespace = match unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) } {
        -1 => return Err(io::Error::last_os_error()),
        // SAFETY: it is new, so nothing else owns it.
        namespace => unsafe { OwnedFd::from_raw_fd(namespace) },
    };
    Ok(Some(fstat(&namespace)?.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_namespaces_are_told_from_others() {
        let line = "78 25 0:4 net:[4026532563] /run/netns/lab rw shared:39 - nsfs nsfs rw";
        assert_eq!(namespace_mounted(line), Some("net:[4026532563]"));
        assert_eq!(namespace_mounted("25 1 8:1 / / rw - ext4 /dev/sda1 rw"), None);
    }

    #[test]
    fn our_own_is_there_if_all_can_be_seen() {
        let ours = fs::metadata("/proc/self/ns/net").unwrap().ino();
        match network_namespaces() {
            Some(found) => assert!(found.contains(&ours)),
            None => crate::skip::skipped("not all network namespaces can be seen here"),
        }
    }
}

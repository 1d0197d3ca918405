//! Linux: everything is a small file in `/proc`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, getppid, getrlimit, test_kill_process};
use rustix::thread::{sched_getaffinity, sched_getcpu, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use super::{Liveness, ProcView};
use crate::fs::{PathContext, PathError};
use crate::model::{Caller, Moment, NetworkNamespace, Place, Port, PortRange, ProcessId};

/// The inode of the network namespace that the machine starts with, since Linux 6.18 (`NET_NS_INIT_INO`, linux/nsfs.h).
const INITIAL_NETWORK: u64 = 0xEFFF_FFF9;

/// A setting of the whole machine, which the kernel therefore shows in its first network namespace only.
const INITIAL_NETWORK_ONLY: &str = "/proc/sys/net/core/netdev_max_backlog";

/// A setting that every network namespace shows.
const NETWORK_SETTINGS: &str = "/proc/sys/net/ipv4/ip_local_port_range";

pub(super) fn place() -> Result<Place, PathError> {
    Ok(Place {
        machine: line("/etc/machine-id")?,
        boot: line("/proc/sys/kernel/random/boot_id")?,
        network: network_namespace()?,
        processes: match namespace("/proc/self/ns/pid")? {
            Some(inode) => inode,
            // A kernel without pid namespaces has only the one.
            None if is_there("/proc/self/ns")? => 0,
            None => Place::UNSEEN,
        },
        time: namespace("/proc/self/ns/time")?,
    })
}

/// The first line of a file, trimmed; empty when the file is not there or hidden from this process.
fn line(path: &str) -> Result<String, PathError> {
    let bytes = unless_hidden(fs::read(path)).at(path)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).lines().next().unwrap_or_default().trim().to_owned())
}

/// The inode of a namespace; none when it is not there or hidden from this process.
fn namespace(path: &str) -> Result<Option<u64>, PathError> {
    Ok(unless_hidden(fs::metadata(path)).at(path)?.map(|namespace| namespace.ino()))
}

fn is_there(path: &str) -> Result<bool, PathError> {
    Ok(unless_hidden(fs::metadata(path)).at(path)?.is_some())
}

/// None for what is not there, or what a sandbox hides: both last. Every other error says nothing about what there is.
fn unless_hidden<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Since Linux 6.18 the first namespace always has the same inode. Before, it gets one of the first dynamic ones (4026531840,
/// 4026531992, ...), which differs from kernel to kernel; then it is known by the machine-wide settings that it shows.
fn network_namespace() -> Result<NetworkNamespace, PathError> {
    Ok(match namespace("/proc/self/ns/net")? {
        Some(INITIAL_NETWORK) => NetworkNamespace::Initial,
        Some(_) if is_there(INITIAL_NETWORK_ONLY)? => NetworkNamespace::Initial,
        // A sandbox may hide the settings, too: before 6.18 there is then no way to find out.
        Some(inode) if is_there(NETWORK_SETTINGS)? => NetworkNamespace::Inode(inode),
        Some(_) => NetworkNamespace::Unknown,
        // A kernel without network namespaces has only the one.
        None if is_there("/proc/self/ns")? => NetworkNamespace::Initial,
        None => NetworkNamespace::Unknown,
    })
}

pub(super) fn now() -> Moment {
    let since_boot = clock_gettime(ClockId::Boottime);
    Moment { wall: Timestamp::now(), since_boot: since_boot.try_into().unwrap_or_default() }
}

pub(super) fn process_id(pid: u32) -> Result<Option<ProcessId>, PathError> {
    let path = format!("/proc/{pid}/stat");
    match fs::read(&path) {
        Ok(stat) => Ok(running_since(&stat).map(|started| ProcessId { pid, started })),
        // It ended between open and read (proc(5)).
        Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => Ok(None),
        Err(error) => unless_hidden(Err(error)).at(&path),
    }
}

/// `/proc/self` is the number that this process has in the pid namespace of that `/proc`.
pub(super) fn view_of_processes() -> ProcView {
    match fs::read_link("/proc/self") {
        Ok(link) if link.to_str().and_then(|pid| pid.parse().ok()) == Some(std::process::id()) => ProcView::Ours,
        Ok(_) => ProcView::Foreign,
        Err(_) => ProcView::Missing,
    }
}

pub(super) fn liveness(process: &ProcessId) -> Liveness {
    match fs::read(format!("/proc/{}/stat", process.pid)) {
        Ok(stat) if running_since(&stat) == Some(process.started) => Liveness::Alive,
        // What makes no sense is no proof.
        Ok(stat) if !is_whole(&stat) => Liveness::Unknown,
        // Nor is what another pid namespace calls so.
        Ok(_) if view_of_processes() == ProcView::Foreign && !is_pid_unused(process.pid) => Liveness::Unknown,
        Ok(_) => Liveness::Ended,
        // With hidepid=2 (proc(5)) the process of another user looks as if it were not there, so the kernel is asked itself.
        Err(_) if is_pid_unused(process.pid) => Liveness::Ended,
        Err(_) => Liveness::Unknown,
    }
}

fn is_pid_unused(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    test_kill_process(pid) == Err(Errno::SRCH)
}

/// The start time of a process that has not ended, from the text of its `stat` (proc_pid_stat(5)): state and start time are
/// fields 3 and 22. The second field is the name in parentheses, which may itself hold spaces and parentheses.
fn running_since(stat: &[u8]) -> Option<u64> {
    let fields = fields_after_name(stat)?;
    match fields[0] {
        "Z" | "X" | "x" => None,
        _ => fields[19].parse().ok(),
    }
}

/// Whether the text says what it should: of processes that have ended, too.
fn is_whole(stat: &[u8]) -> bool {
    fields_after_name(stat).is_some_and(|fields| fields[19].parse::<u64>().is_ok())
}

/// The fields of `stat` from the third on, the state; none when those that count are not all there. The name need not be UTF-8.
fn fields_after_name(stat: &[u8]) -> Option<Vec<&str>> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let fields: Vec<_> = str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace().collect();
    (fields.len() > 19).then_some(fields)
}

/// `/proc/PID/fd/N` leads to the open file itself (proc_pid_fd(5)), whatever its name is by now.
pub(super) fn has_open(pid: u32, path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let Some(wanted) = identity(path) else { return false };
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.into_iter().any(|entry| identity(&entry.path()) == Some(wanted))
}

pub(super) fn parent() -> Option<Caller> {
    let pid = getppid()?.as_raw_nonzero().get().unsigned_abs();
    let command = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(Caller { pid, command: String::from_utf8_lossy(&command).trim_end_matches('\n').to_owned() })
}

pub(super) fn ephemeral_ports() -> Option<PortRange> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut ports = text.split_ascii_whitespace().map(str::parse::<Port>);
    PortRange::new(ports.next()?.ok()?, ports.next()?.ok()?).ok()
}

pub(super) fn set_aside_ports() -> Vec<PortRange> {
    // A preference, no proof: without it a choice is only less good.
    port_list(&line("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default())
}

/// `8080,9148,10000-10010`, as proc_do_large_bitmap writes it. Port 0, which is none, can be in it.
fn port_list(text: &str) -> Vec<PortRange> {
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let first = first.trim().parse::<u16>().ok()?.max(1);
        PortRange::new(Port::new(first)?, last.trim().parse().ok()?).ok()
    };
    text.split(',').filter_map(range).collect()
}

/// `ip_unprivileged_port_start` (ip(7)); 0 means that no port needs privilege.
pub(super) fn first_unprivileged_port() -> Option<Port> {
    let start = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    // Kernels before 4.11 have no such setting.
    start.map_or(Port::new(1024), |text| text.trim().parse().ok().and_then(Port::new))
}

pub(super) fn address_space_is_limited() -> bool {
    getrlimit(Resource::As).current.is_some()
}

pub(super) fn processors() -> usize {
    let ours = sched_getaffinity(None).ok().and_then(|all| usize::try_from(all.count()).ok());
    // A machine may have more than rustix' set has room for.
    ours.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into))
}

#[cfg(target_env = "gnu")]
pub(super) fn expect_threads() {
    // SAFETY: mallopt(3) takes two numbers, and locks what it changes. Where it refuses them, all stays as it was.
    #[expect(unsafe_code, reason = "no crate has mallopt(3)")]
    unsafe {
        libc::mallopt(libc::M_TOP_PAD, 1 << 20);
    }
}

#[cfg(not(target_env = "gnu"))]
pub(super) fn expect_threads() {}

#[expect(clippy::unnecessary_wraps, reason = "other platforms have none")]
pub(super) fn processor() -> Option<usize> {
    Some(sched_getcpu())
}

/// A thread that may not run where it runs is moved immediately (sched_setaffinity(2)); then it may run there again.
pub(super) fn leave_processor(processor: usize) {
    if sched_getcpu() != processor {
        return;
    }
    let Ok(all) = sched_getaffinity(None) else { return };
    let mut others = all;
    others.unset(processor);
    // Refused when there are no others.
    if sched_setaffinity(None, &others).is_ok() {
        let _ = sched_setaffinity(None, &all);
    }
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;

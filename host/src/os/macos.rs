//! macOS: system settings by sysctl(3). There are no namespaces.

use jiff::Timestamp;
use rustix::io::Errno;
use rustix::process::{Pid, Resource, getrlimit, test_kill_process};
use rustix::time::{ClockId, clock_gettime};
use sysctl::Sysctl;

pub(super) use super::processes::{parent, process_id};

use super::Liveness;
use crate::fs::PathError;
use crate::model::{Moment, NetworkNamespace, Place, Port, PortRange, ProcessId};

pub(super) fn place() -> Result<Place, PathError> {
    Ok(Place {
        // The hardware's own (ioreg(8), IOPlatformUUID).
        machine: sysinfo::Product::uuid().unwrap_or_default(),
        // A setting that cannot be read is unknown, and so proves nothing.
        boot: setting("kern.bootsessionuuid").unwrap_or_default(),
        network: NetworkNamespace::Initial,
        processes: 0,
        time: None,
    })
}

fn setting(name: &str) -> Option<String> {
    sysctl::Ctl::new(name).and_then(|setting| setting.value_string()).ok()
}

pub(super) fn now() -> Moment {
    // Here the monotonic clock counts time asleep as well (clock_gettime(3)).
    let since_boot = clock_gettime(ClockId::Monotonic);
    Moment { wall: Timestamp::now(), since_boot: since_boot.try_into().unwrap_or_default() }
}

pub(super) fn liveness(process: &ProcessId) -> Liveness {
    match process_id(process.pid) {
        Ok(Some(now)) if now == *process => Liveness::Alive,
        Ok(Some(_)) => Liveness::Ended,
        Ok(None) => unseen(process.pid),
        Err(_) => Liveness::Unknown,
    }
}

/// A process that is not shown has ended, is a zombie, or is closed to this user; EPERM identifies the last (kill(2)).
fn unseen(pid: u32) -> Liveness {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Liveness::Ended };
    match test_kill_process(pid) {
        Err(Errno::SRCH) => Liveness::Ended,
        // A zombie answers to the signal, and is not shown.
        Ok(()) => Liveness::Ended,
        Err(_) => Liveness::Unknown,
    }
}

pub(super) fn ephemeral_ports() -> Option<PortRange> {
    let port = |name| setting(name)?.parse::<Port>().ok();
    PortRange::new(port("net.inet.ip.portrange.first")?, port("net.inet.ip.portrange.last")?).ok()
}

/// AirPlay Receiver's ports: a plain bind beside its wildcard listeners may succeed, and clients then meet one or the other.
pub(super) fn set_aside_ports() -> Vec<PortRange> {
    [5000, 7000].into_iter().filter_map(Port::new).map(PortRange::from).collect()
}

/// Since macOS 10.14 the low ports of the wildcard addresses need no privilege, and those of a single address do.
pub(super) fn first_unprivileged_port() -> Option<Port> {
    Port::new(1024)
}

pub(super) fn address_space_is_limited() -> bool {
    getrlimit(Resource::As).current.is_some()
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// The kernel does not let programs choose, and balances by itself.
pub(super) fn processor() -> Option<usize> {
    None
}

pub(super) fn leave_processor(_: usize) {}

pub(super) fn expect_threads() {}

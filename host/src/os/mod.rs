//! What only the operating system knows: this place, this moment, processes, and what this one may use. One file per platform behind one
//! interface.
//!
//! What a machine hides, or does not have, is empty, none or [`Liveness::Unknown`], and the rooms above treat the unknown as alive. A read
//! that fails for another reason (too many open files, a faulty disk) proves nothing, and is an error where something would depend on it.

mod handle;
pub mod inspect;
#[cfg(target_os = "linux")]
mod namespaces;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
#[cfg(any(target_os = "macos", windows))]
mod processes;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("portkeeper knows Linux, macOS and Windows; another platform needs its own file in host/src/os");

pub use handle::Handle;

use crate::fs::PathError;
use crate::model::{Caller, Moment, Place, Port, PortRange, ProcessId};

/// Whether a process still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// It has ended. A zombie has, too: it can do nothing more, its parent has only not fetched its exit code.
    Ended,
    /// This user may not see it.
    Unknown,
}

/// Whose processes `/proc` shows (Linux).
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProcView {
    /// Those of this process' own pid namespace.
    Ours,
    /// Those of another: its numbers mean other processes than ours do (`unshare --pid` without `--mount-proc`).
    Foreign,
    /// None: /proc is not mounted.
    Missing,
}

/// Looks whose processes `/proc` shows.
#[cfg(target_os = "linux")]
pub(crate) fn view_of_processes() -> ProcView {
    platform::view_of_processes()
}

/// Where this process is: machine, boot and namespaces.
///
/// # Errors
/// Something that is there could not be read.
pub fn place() -> Result<Place, PathError> {
    platform::place()
}

/// Both clocks, now.
#[must_use]
pub fn now() -> Moment {
    platform::now()
}

/// The process with this pid, with its start time, so that a later process with the same pid can be distinguished from it; none when no
/// such process runs or this user may not see it.
///
/// # Errors
/// It could not be looked at.
pub fn process_id(pid: u32) -> Result<Option<ProcessId>, PathError> {
    platform::process_id(pid)
}

/// Whether the process still runs. It must belong to this place ([`Place::shares_processes_with`]).
#[must_use]
pub fn liveness(process: &ProcessId) -> Liveness {
    platform::liveness(process)
}

/// The inodes of all network namespaces that there still are; none where not all of them can be seen.
#[must_use]
pub fn network_namespaces() -> Option<std::collections::HashSet<u64>> {
    #[cfg(target_os = "linux")]
    return namespaces::network_namespaces();
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether the process has this very file open. False where that cannot be seen.
#[must_use]
#[cfg(target_os = "linux")]
pub fn has_open(pid: u32, path: &std::path::Path) -> bool {
    platform::has_open(pid, path)
}

/// The process that started this one; none when it has ended, or is outside of this pid namespace.
#[must_use]
pub fn parent() -> Option<Caller> {
    platform::parent()
}

/// The range from which the kernel picks ports for `bind(0)` and for outgoing connections; none when it cannot be read.
#[must_use]
pub fn ephemeral_ports() -> Option<PortRange> {
    platform::ephemeral_ports()
}

/// Ranges of ports that this machine has set aside for something, so that they are not to be chosen without being asked for.
///
/// - Linux: `net.ipv4.ip_local_reserved_ports` (ip-sysctl), which also keeps the kernel from picking them for `bind(0)` and for outgoing
///   connections.
/// - macOS: 5000 and 7000, where AirPlay Receiver listens since macOS 12.
/// - Windows: none, because its excluded ranges can only be listed by a command (`netsh int ipv4 show excludedportrange tcp`). A bind in
///   one of them is refused as "access denied", and the choice then goes on to the next port.
#[must_use]
pub fn set_aside_ports() -> Vec<PortRange> {
    platform::set_aside_ports()
}

/// What has set aside the ports of [`set_aside_ports`].
pub const SET_ASIDE_BY: &str = if cfg!(target_os = "macos") {
    "AirPlay Receiver listens there"
} else if cfg!(windows) {
    "netsh int ipv4 show excludedportrange"
} else {
    "net.ipv4.ip_local_reserved_ports"
};

/// The lowest port that needs no privilege; none where no port needs privilege.
#[must_use]
pub fn first_unprivileged_port() -> Option<Port> {
    platform::first_unprivileged_port()
}

/// Whether there is a limit to the addresses that this process may use, whatever stands there (`RLIMIT_AS`, setrlimit(2); `ulimit -v`).
#[must_use]
pub fn address_space_is_limited() -> bool {
    platform::address_space_is_limited()
}

/// How many processors this process can use in parallel. What its group may use of them in a while (cpu.max, cgroups(7)) is not asked:
/// that is no reason to do what takes milliseconds one after the other. But where addresses are limited it is one, for each thread takes
/// many of them (64 MiB for what it allocates, with glibc).
#[must_use]
pub fn processors() -> usize {
    if address_space_is_limited() { 1 } else { platform::processors() }
}

/// Lets what each thread allocates from grow by a MiB of addresses at a time, for a process that is to work on several threads.
///
/// glibc lets it grow by a page at a time (except for the first thread's). Each step changes the process's map of its memory, for which
/// the kernel makes all threads wait that want memory just then. Elsewhere there is nothing to do.
pub fn expect_threads() {
    platform::expect_threads();
}

/// The number of the processor that this thread runs on just now; none where that does not matter to [`leave_processor`].
#[must_use]
pub fn processor() -> Option<usize> {
    platform::processor()
}

/// Lets this thread go on elsewhere, if it can, when it runs on the processor with that number.
///
/// For a new thread that is to work beside the one that started it. A kernel that does not balance its processors at each start (seen
/// in guests of Firecracker) puts it where its parent runs, and lets the two take turns for milliseconds while other processors idle.
pub fn leave_processor(processor: Option<usize>) {
    if let Some(processor) = processor {
        platform::leave_processor(processor);
    }
}

//! Windows: machine and boot from the registry. There are no namespaces.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use windows_registry::{Key, LOCAL_MACHINE};

pub(super) use super::processes::{parent, process_id};

use super::Liveness;
use crate::fs::{PathContext, PathError};
use crate::model::{Moment, NetworkNamespace, Place, Port, PortRange, ProcessId};

/// Made when Windows is installed.
const MACHINE: (&str, &str) = (r"SOFTWARE\Microsoft\Cryptography", "MachineGuid");

/// Counts the boots.
const BOOT: (&str, &str) =
    (r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters", "BootId");

pub(super) fn place() -> Result<Place, PathError> {
    let machine = value(MACHINE, |key, name| key.get_string(name))?.unwrap_or_default();
    let boot = value(BOOT, |key, name| key.get_u32(name))?.filter(|_| !machine.is_empty());
    Ok(Place {
        // The count alone would be the same on many machines.
        boot: boot.map(|boot| format!("{machine}-{boot}")).unwrap_or_default(),
        machine,
        network: NetworkNamespace::Initial,
        processes: 0,
        time: None,
    })
}

/// A value of the system's registry; none when it lacks or hides it. That lasts, so the place is unknown and may be any. Every other
/// failure says nothing.
fn value<T>(
    (path, name): (&str, &str),
    read: impl FnOnce(&Key, &str) -> windows_registry::Result<T>,
) -> Result<Option<T>, PathError> {
    match LOCAL_MACHINE.open(path).and_then(|key| read(&key, name)) {
        Ok(value) => Ok(Some(value)),
        // As HRESULTs: no such file, no such path, access denied, and a value of another type.
        Err(error)
            if [0x8007_0002, 0x8007_0003, 0x8007_0005, 0x8007_000D].contains(&error.code().0.cast_unsigned()) =>
        {
            Ok(None)
        }
        Err(error) => Err(io::Error::other(error.message())).at(format!(r"HKEY_LOCAL_MACHINE\{path}\{name}")),
    }
}

/// Time since the boot in whole seconds, time asleep included (`GetTickCount64`).
pub(super) fn now() -> Moment {
    let since_boot = Duration::from_secs(sysinfo::System::uptime().unwrap_or_default());
    Moment { wall: Timestamp::now(), since_boot }
}

/// The list of processes is open to all users, but when one of another user started is not.
pub(super) fn liveness(process: &ProcessId) -> Liveness {
    match process_id(process.pid) {
        Ok(Some(now)) if now == *process => Liveness::Alive,
        Ok(Some(_)) => Liveness::Ended,
        Ok(None) if super::processes::is_listed(process.pid) => Liveness::Unknown,
        Ok(None) => Liveness::Ended,
        Err(_) => Liveness::Unknown,
    }
}

/// What Windows has had since Vista, unless its administrator changed it (`netsh int ipv4 show dynamicport tcp`).
pub(super) fn ephemeral_ports() -> Option<PortRange> {
    PortRange::new(Port::new(49_152)?, Port::new(65_535)?).ok()
}

/// There is no call that lists the excluded ranges.
pub(super) fn set_aside_ports() -> Vec<PortRange> {
    Vec::new()
}

/// No port needs privilege.
pub(super) fn first_unprivileged_port() -> Option<Port> {
    None
}

/// A job may limit the memory that is committed, and setting addresses aside commits none.
pub(super) fn address_space_is_limited() -> bool {
    false
}

pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, Into::into)
}

/// The kernel balances by itself.
pub(super) fn processor() -> Option<usize> {
    None
}

pub(super) fn leave_processor(_: usize) {}

pub(super) fn expect_threads() {}

//! Whether the reason for a reservation still holds.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use super::GRACE;
use super::world::{Presence, World};
use crate::model::{Boots, Lease, LeaseName, Moment, NetworkNamespace, ProcessId, Reservation};
use crate::os::Liveness;

/// Why a reservation is no longer alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stale {
    /// The process that it was for has ended.
    ProcessEnded {
        /// Its pid.
        pid: u32,
    },
    /// Its holder has ended.
    HolderEnded {
        /// Its pid.
        pid: u32,
    },
    /// Nothing listens on the port, and its grace is over.
    GraceOver {
        /// How long that was.
        length: Duration,
    },
    /// Its time is up.
    TimeOver {
        /// Since when, by the wall clock at its making.
        until: Timestamp,
    },
    /// The directory of its project is gone.
    ProjectGone {
        /// The directory.
        path: PathBuf,
    },
    /// The network namespace that it was made in is gone, and its ports with it.
    NetworkGone,
    /// The process that reserved it died before writing it into any file.
    NeverWritten,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProcessEnded { pid } => write!(f, "process {pid} has ended"),
            Self::HolderEnded { pid } => write!(f, "its holder, process {pid}, has ended"),
            Self::GraceOver { length } => {
                write!(f, "nothing listens there, and its grace of {} s is over", length.as_secs_f64())
            }
            Self::TimeOver { until } => write!(f, "its time was up at {until:.0}"),
            Self::ProjectGone { path } => write!(f, "its project {} is gone", path.display()),
            Self::NetworkGone => f.write_str("its network namespace is gone"),
            Self::NeverWritten => f.write_str("the command that made it ended before it wrote the port anywhere"),
        }
    }
}

/// Why the reservation is no longer alive at this moment; none while it is, and while that cannot be seen from here.
///
/// Reservations of other places are never judged: their ports, processes and directories are not ours to see.
#[must_use]
pub fn why_stale(reservation: &Reservation, now: Moment, world: &impl World) -> Option<Stale> {
    if !world.place().sees_ports_of(&reservation.place) {
        return None;
    }
    let of_lease = match &reservation.lease {
        Lease::Held => None,
        // While the process lives the port is its, whatever has become of what kept it: it may not have bound it yet.
        Lease::Process(process) => return process_ended(process, reservation, world),
        &Lease::Grace { length } => {
            grace_is_over(length, reservation, now, world).then_some(Stale::GraceOver { length })
        }
        &Lease::Timed { length } => {
            let until = reservation.time_after(length);
            time_is_over(until, length, reservation, now, world).then_some(Stale::TimeOver { until })
        }
        Lease::Named(name) if name.provisional => {
            return grace_is_over(GRACE, reservation, now, world).then_some(Stale::NeverWritten);
        }
        Lease::Named(name) => return project_gone(name, world),
    };
    of_lease.or_else(|| holder_ended(reservation, world))
}

/// Whether the reservation's ports are provably no more, so that nothing can live on them: it was made in a network namespace of an earlier
/// boot of this machine, or in one that no process is in and nothing refers to. That can be a long look at all processes.
///
/// Copies of a machine may share its identity. What was made since this boot began, or has a holder that lives, is not of an earlier one.
pub(super) fn is_network_gone(reservation: &Reservation, world: &impl World) -> bool {
    let (here, there) = (world.place(), &reservation.place);
    let NetworkNamespace::Inode(inode) = there.network else { return false };
    match here.boots(there) {
        Boots::Same => here.network != there.network && world.is_network_gone(inode),
        Boots::Different => {
            let same_machine = !here.machine.is_empty() && here.machine == there.machine;
            same_machine && is_from_before_this_boot(reservation, world) && !is_locked(reservation, world)
        }
        Boots::Unknown => false,
    }
}

fn is_from_before_this_boot(reservation: &Reservation, world: &impl World) -> bool {
    let Moment { wall, since_boot } = world.now();
    // A clock that shows a time before the boot began at 0 proves nothing.
    wall.checked_sub(since_boot).is_ok_and(|boot| reservation.created < boot)
}

/// Whether the lock of the reservation's hold file proves that its holder lives.
fn is_locked(reservation: &Reservation, world: &impl World) -> bool {
    let file = reservation.hold.and_then(|hold| hold.file);
    file.is_some_and(|file| world.hold_file(file) == Liveness::Alive)
}

/// Whether the sockets of the reservation's hold are still there; none when it has no hold.
#[must_use]
pub fn holder_of(reservation: &Reservation, world: &impl World) -> Option<Liveness> {
    let Reservation { hold, place, .. } = reservation;
    let hold = hold.as_ref()?;
    let here = world.place();
    let boots = here.boots(place);
    if boots == Boots::Different {
        // No process outlives its boot. What another machine holds cannot be seen.
        return Some(if here.sees_ports_of(place) { Liveness::Ended } else { Liveness::Unknown });
    }
    let file = hold.file.map_or(Liveness::Unknown, |id| world.hold_file(id));
    if boots == Boots::Unknown {
        // A lock proves a holder. That there is none may be because this is another machine.
        return Some(if file == Liveness::Alive { file } else { Liveness::Unknown });
    }
    // The lock knows best. Without it the process itself is looked at, if its pid means anything here.
    Some(if file == Liveness::Unknown && here.shares_processes_with(place) {
        world.liveness(&hold.holder)
    } else {
        file
    })
}

/// Whether the reservation has a hold whose sockets are there, as far as can be seen from here.
pub(super) fn is_held(reservation: &Reservation, world: &impl World) -> bool {
    holder_of(reservation, world).is_some_and(|holder| holder != Liveness::Ended)
}

fn holder_ended(reservation: &Reservation, world: &impl World) -> Option<Stale> {
    let pid = reservation.hold.as_ref()?.holder.pid;
    (holder_of(reservation, world)? == Liveness::Ended).then_some(Stale::HolderEnded { pid })
}

fn process_ended(process: &ProcessId, reservation: &Reservation, world: &impl World) -> Option<Stale> {
    let here = world.place();
    let ended = if here.shares_processes_with(&reservation.place) {
        world.liveness(process) == Liveness::Ended
    } else {
        // No process outlives its boot. One of another pid namespace cannot be seen.
        here.boots(&reservation.place) == Boots::Different
    };
    ended.then_some(Stale::ProcessEnded { pid: process.pid })
}

fn grace_is_over(length: Duration, reservation: &Reservation, now: Moment, world: &impl World) -> bool {
    let Reservation { protocol, port, addresses, .. } = reservation;
    let over = match age(reservation, now, world) {
        Age::Exact(age) => age >= length,
        Age::ByWallClock => now.wall >= reservation.time_after(length),
        Age::OfAnotherBoot => true,
    };
    over && !world.is_listening(*protocol, *port, addresses)
}

/// Within the boot the clock that never jumps decides. After a reboot only the wall clock is left; if it shows a time before
/// the reservation was made, it says nothing about how much time went by, and the promise is not to outlive the duration.
fn time_is_over(
    until: Timestamp,
    length: Duration,
    reservation: &Reservation,
    now: Moment,
    world: &impl World,
) -> bool {
    match age(reservation, now, world) {
        Age::Exact(age) => age >= length,
        Age::ByWallClock => now.wall >= until,
        Age::OfAnotherBoot => !(reservation.created..until).contains(&now.wall),
    }
}

/// What is known of a reservation's age.
enum Age {
    /// By the clock that never jumps.
    Exact(Duration),
    /// That clock shows something else here (time_namespaces(7)), or may be that of another boot. If the wall clock was set back, the
    /// reservation counts as young.
    ByWallClock,
    /// It was made in another boot.
    OfAnotherBoot,
}

fn age(reservation: &Reservation, now: Moment, world: &impl World) -> Age {
    let (here, there) = (world.place(), &reservation.place);
    match here.boots(there) {
        Boots::Different => Age::OfAnotherBoot,
        Boots::Same if here.shares_clock_with(there) => {
            Age::Exact(now.since_boot.saturating_sub(reservation.created_since_boot))
        }
        Boots::Same | Boots::Unknown => Age::ByWallClock,
    }
}

fn project_gone(name: &LeaseName, world: &impl World) -> Option<Stale> {
    let project = name.project.as_ref()?;
    (world.presence(project) == Presence::Gone).then(|| Stale::ProjectGone { path: project.path.clone() })
}

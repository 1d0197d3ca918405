//! Whether a process is the one that a reservation was made for.

use serde::Serialize;

use super::{Reach, project_directory};
use crate::model::{Lease, LeaseName, Place, ProcessId, Project, Reservation};
use crate::os::{self, Liveness, inspect};

/// Whose a process on a reserved port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Ownership {
    /// It belongs to the reservation.
    Own,
    /// It provably belongs to someone else.
    Stranger,
    /// Nothing proves either.
    Unknown,
}

/// Whether the process `pid` of this place is the one that the reservation was made for.
///
/// A process lease: it is that process or comes from it. A name: it works in the name's project, or was started from there.
/// Other reservations know only the process that asked for them: what comes from that process is theirs, and nothing is foreign.
///
/// Another user's socket (`uid`) is a stranger's wherever that user works, root's aside, unless the running command that the port is for
/// has opened it. What speaks for containers works in the engine's directory, which proves nothing: on the port of a name it is what the
/// project has published there.
#[must_use]
pub fn ownership(reservation: &Reservation, pid: u32, uid: Option<u32>, here: &Place) -> Ownership {
    if is_running_command(reservation, pid, here) {
        return Ownership::Own;
    }
    let me = inspect::current_user();
    if uid.or_else(|| inspect::user(pid)).is_some_and(|uid| uid != 0 && Some(uid) != me) {
        return Ownership::Stranger;
    }
    if inspect::speaks_for_containers(pid) || inspect::container(pid).is_some() {
        return if reservation.name().is_some() { Ownership::Own } else { Ownership::Unknown };
    }
    match &reservation.lease {
        Lease::Process(owner) if here.shares_processes_with(&reservation.place) => of_process(owner, pid),
        Lease::Named(LeaseName { project: Some(project), .. }) => of_project(project, pid),
        _ => of_caller(reservation, pid, here),
    }
}

/// Whether it comes from the process that the port is reserved for, or from the `run` that keeps the port.
fn is_running_command(reservation: &Reservation, pid: u32, here: &Place) -> bool {
    let keeper = reservation.hold.filter(|hold| hold.file.is_none()).map(|hold| hold.holder);
    let owner = match &reservation.lease {
        Lease::Process(owner) => Some(*owner),
        _ => None,
    };
    here.shares_processes_with(&reservation.place)
        && [keeper, owner].into_iter().flatten().any(|one| {
            os::liveness(&one) == Liveness::Alive && one.pid != std::process::id() && comes_from(pid, one.pid)
        })
}

fn of_process(owner: &ProcessId, pid: u32) -> Ownership {
    if os::liveness(owner) != Liveness::Alive {
        return Ownership::Unknown;
    }
    if comes_from(pid, owner.pid) { Ownership::Own } else { Ownership::Stranger }
}

fn of_project(project: &Project, pid: u32) -> Ownership {
    let Some(directory) = inspect::working_directory(pid) else { return Ownership::Unknown };
    if Reach::of(&directory).distance(project).is_some() {
        return Ownership::Own;
    }
    match project_directory(&directory) {
        // Started from the root of a repository, for a part of it that has names of its own.
        Some(theirs) if project.path.starts_with(&theirs) => Ownership::Unknown,
        Some(_) => Ownership::Stranger,
        // A server may change its directory, to `/` as a rule. The process that started it has not.
        None if started_from(project, pid) => Ownership::Own,
        None => Ownership::Unknown,
    }
}

fn started_from(project: &Project, pid: u32) -> bool {
    let directories = inspect::ancestors(pid).into_iter().filter_map(inspect::working_directory);
    directories.into_iter().any(|directory| Reach::of(&directory).distance(project).is_some())
}

fn of_caller(reservation: &Reservation, pid: u32, here: &Place) -> Ownership {
    let caller = reservation.caller.as_ref().filter(|_| here.shares_processes_with(&reservation.place));
    // A later process with the caller's pid has another name, as a rule; more is not known of it.
    let caller = caller.filter(|caller| inspect::command(caller.pid).as_ref() == Some(&caller.command));
    match caller {
        Some(caller) if comes_from(pid, caller.pid) => Ownership::Own,
        _ => Ownership::Unknown,
    }
}

fn comes_from(pid: u32, ancestor: u32) -> bool {
    pid == ancestor || inspect::ancestors(pid).contains(&ancestor)
}

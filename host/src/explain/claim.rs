//! A reservation of the port, as a user in a directory sees it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::{Lease, LeaseName, Protocol, Reservation};
use crate::os::Liveness;
use crate::reserve::{Machine, Stale, World, holder_of, why_stale};
use crate::who::{OnPort, Reach, project_directory, seen_from};

/// A reservation of the port.
#[derive(Debug)]
pub struct Claim {
    /// The reservation.
    pub reservation: Reservation,
    /// Whether it is one of this machine and network namespace; the ports of others are other ports.
    pub here: bool,
    /// Why it is alive no longer, if it is not: the next reserve collects it.
    pub stale: Option<Stale>,
    /// Whether the sockets of its hold are still there, if it has one.
    pub holder: Option<Liveness>,
    /// The command that it is for, if that still runs and the portkeeper that ran it does not.
    pub orphan: Option<u32>,
    /// Whose it is.
    pub whose: Whose,
}

/// Whose a reservation is, for a user in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// A name of the project of the directory.
    Project,
    /// Of this user, and of no project.
    User,
    /// A name of another project.
    Other(PathBuf),
}

impl Whose {
    /// Whose the reservation is for a user in the directory that `reach` starts from.
    #[must_use]
    pub fn of(reservation: &Reservation, reach: &Reach) -> Self {
        match reservation.name().and_then(|name| name.project.as_ref()) {
            None => Self::User,
            Some(project) if reach.includes(project) => Self::Project,
            Some(project) => Self::Other(project.path.clone()),
        }
    }
}

/// The command line that starts a server on the reservation's port, for a user whose it is.
#[must_use]
pub fn run_line(reservation: &Reservation, whose: &Whose) -> String {
    let udp = if reservation.protocol == Protocol::Udp { " --protocol udp" } else { "" };
    // A name of a directory that is no project of its own is not found without naming the directory.
    let is_found = |name: &LeaseName| match &name.project {
        Some(project) => project_directory(&project.path).as_ref() == Some(&project.path),
        None => true,
    };
    let name = reservation.name().filter(|name| is_plain(&name.name) && is_found(name));
    match (name.map(|name| &name.name), whose) {
        (Some(name), Whose::Project) => format!("portkeeper run {name} -- COMMAND"),
        (Some(name), Whose::User) => format!("portkeeper run {name} --global -- COMMAND"),
        _ => format!("portkeeper run --port {}{udp} -- COMMAND", reservation.port),
    }
}

/// Whether a shell takes the name for one word, and portkeeper takes it for no option.
fn is_plain(name: &str) -> bool {
    !name.starts_with('-') && name.chars().all(|c| c.is_alphanumeric() || "._-/+:@%,".contains(c))
}

impl Claim {
    pub(super) fn of(reservation: &Reservation, machine: &Machine, reach: &Reach) -> Self {
        let holder = holder_of(reservation, machine);
        Self {
            orphan: orphan(reservation, machine).filter(|_| holder == Some(Liveness::Ended)),
            here: machine.place().shares_ports_with(&reservation.place),
            stale: why_stale(reservation, machine.now(), machine),
            holder,
            whose: Whose::of(reservation, reach),
            reservation: reservation.clone(),
        }
    }

    /// Whether it counts here and now.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.here && self.stale.is_none()
    }

    /// Whether the socket is in its way, or its own.
    pub(super) fn covers(&self, socket: &OnPort) -> bool {
        self.reservation.covers(socket.protocol, self.reservation.port, &[socket.address.ip()])
    }

    /// For what or whom it is: `web`, `web of ../shop-2`, `anna`, `a process`.
    #[must_use]
    pub fn purpose(&self, directory: &Path) -> String {
        let Reservation { lease, owner, .. } = &self.reservation;
        let owner = owner.as_ref().map(|owner| format!("owner {owner}"));
        match (lease, &self.whose) {
            (Lease::Named(name), Whose::Other(project)) => {
                format!("{} of {}", name.name, seen_from(project, directory))
            }
            (Lease::Named(name), Whose::Project) => format!("{} of this project", name.name),
            (Lease::Named(name), Whose::User) => name.name.clone(),
            (Lease::Process(process), _) => owner.unwrap_or_else(|| format!("process {}", process.pid)),
            (Lease::Held | Lease::Timed { .. } | Lease::Grace { .. }, _) => owner.unwrap_or_else(|| "you".to_owned()),
        }
    }
}

/// The process that the port of a `run` is for. What has asked to hold a port for some process has not started it.
fn orphan(reservation: &Reservation, machine: &Machine) -> Option<u32> {
    let Lease::Process(process) = &reservation.lease else { return None };
    reservation.hold.as_ref().filter(|hold| hold.file.is_none())?;
    let is_seen = machine.place().shares_processes_with(&reservation.place);
    (is_seen && machine.liveness(process) == Liveness::Alive).then_some(process.pid)
}

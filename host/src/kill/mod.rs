//! Ends what has a port, if it may be ended.
//!
//! [`plan`] finds the processes and refuses what must not be killed; [`Plan::carry_out`] asks them to end, waits, and kills what is
//! left. Each process is held by a handle from before it was checked until it has ended, so a later one with its pid is safe.

mod carry_out;

pub use carry_out::{Ended, How};

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::explain::{Explanation, Seat, Whose, how_to_stop};
use crate::model::{Port, Protocol};
use crate::os;
use crate::os::inspect::{self, user_text};
use crate::probe::Processes;
use crate::who::{Ownership, ProcessInfo, is_keeper, project_directory};

/// Why nothing is ended.
#[derive(Debug, Error)]
pub enum Refusal {
    /// Nobody has the port.
    #[error("nothing has {protocol} port {port}")]
    Nobody {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
    },
    /// Who has it cannot be seen.
    #[error("{protocol} port {port} belongs to a process of {} that this user may not see", someone(*.uid))]
    Unseen {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
        /// The user it belongs to.
        uid: Option<u32>,
    },
    /// Killing it would break what it belongs to.
    #[error("{who} is not killed: {instead}")]
    StopInstead {
        /// The process.
        who: Box<ProcessInfo>,
        /// What to do.
        instead: String,
    },
    /// It is portkeeper.
    #[error("{who} only keeps the port: portkeeper release {port} gives it back")]
    Keeper {
        /// The process.
        who: Box<ProcessInfo>,
        /// The port.
        port: Port,
    },
    /// It is the process that asks, or the one that it depends on.
    #[error("{who} is what this command runs in")]
    Ourselves {
        /// The process.
        who: Box<ProcessInfo>,
    },
    /// It is not the listener of a reservation of this project.
    #[error("{who} is not known to be yours: {why}")]
    NotYours {
        /// The process.
        who: Box<ProcessInfo>,
        /// What speaks against it.
        why: String,
    },
    /// It cannot be got hold of.
    #[error("{who} cannot be ended: {source}")]
    Failed {
        /// The process.
        who: Box<ProcessInfo>,
        /// What the system says.
        source: io::Error,
    },
}

fn someone(uid: Option<u32>) -> String {
    uid.map_or_else(|| "someone".to_owned(), |uid| format!("user {}", user_text(uid)))
}

/// The processes that have a port, and may be ended.
#[derive(Debug)]
pub struct Plan {
    /// One for each server.
    pub victims: Vec<Victim>,
}

/// A server that has the port.
#[derive(Debug)]
pub struct Victim {
    /// The server itself.
    pub portrait: ProcessInfo,
    /// The processes that have its socket, the server first.
    handles: Vec<os::Handle>,
}

/// Who would be ended. Without `force` only the listener of a reservation of the project of the directory.
///
/// # Errors
/// [`Refusal`]; then nobody is.
pub fn plan(explained: &Explanation, protocol: Protocol, directory: &Path, force: bool) -> Result<Plan, Refusal> {
    let port = explained.port;
    let mut seats: Vec<&Seat> =
        explained.sockets.iter().filter(|seat| seat.socket.protocol == protocol && seat.socket.is_held()).collect();
    // Without force the reservation decides: what is on other addresses of the port is not meant.
    if !force && seats.iter().any(|seat| seat.whose.is_some()) {
        seats.retain(|seat| seat.whose.is_some());
    }
    if seats.is_empty() {
        return Err(Refusal::Nobody { protocol, port });
    }
    let mut victims: Vec<Victim> = Vec::new();
    for seat in seats {
        let Some(portrait) = &seat.process else {
            return Err(Refusal::Unseen { protocol, port, uid: seat.socket.uid });
        };
        refuse_untouchable(portrait, port)?;
        if !force {
            refuse_foreign(seat, portrait, directory)?;
        }
        let handles = take_hold(seat, portrait, port)?;
        match victims.iter_mut().find(|victim| victim.portrait.pid == portrait.pid) {
            Some(victim) => {
                let is_new = |handle: &os::Handle| victim.handles.iter().all(|other| other.id() != handle.id());
                let new: Vec<_> = handles.into_iter().filter(is_new).collect();
                victim.handles.extend(new);
            }
            None => victims.push(Victim { portrait: portrait.clone(), handles }),
        }
    }
    Ok(Plan { victims })
}

/// What nobody may kill here, whatever they say.
fn refuse_untouchable(portrait: &ProcessInfo, port: Port) -> Result<(), Refusal> {
    let who = || Box::new(portrait.clone());
    if inspect::is_self_or_ancestor(portrait.pid) {
        return Err(Refusal::Ourselves { who: who() });
    }
    if portrait.keeper {
        return Err(Refusal::Keeper { who: who(), port });
    }
    match how_to_stop(portrait, port) {
        Some(instead) => Err(Refusal::StopInstead { who: who(), instead }),
        None => Ok(()),
    }
}

fn refuse_foreign(seat: &Seat, portrait: &ProcessInfo, directory: &Path) -> Result<(), Refusal> {
    let in_directory = || {
        let Some(theirs) = &portrait.directory else { return false };
        let in_one_project = portrait.project.is_some() && portrait.project == project_directory(directory);
        theirs.starts_with(directory) || in_one_project
    };
    let why = match (&seat.whose, seat.ownership) {
        (None, _) | (_, None) => "the port is not reserved".to_owned(),
        (Some(Whose::Other(project)), _) => format!("the port is reserved for {}", project.display()),
        (_, Some(Ownership::Stranger)) => "it works elsewhere, though the port is reserved for you".to_owned(),
        (Some(Whose::Project), _) | (_, Some(Ownership::Own)) => return Ok(()),
        (Some(Whose::User), _) if in_directory() => return Ok(()),
        (Some(Whose::User), _) => "it works elsewhere, and the reservation is for no project".to_owned(),
    };
    Err(Refusal::NotYours { who: Box::new(portrait.clone()), why })
}

/// Takes hold of all that have the socket, then makes sure that they still have it: whoever does is who was meant. What only keeps
/// the socket for the server, and what this command runs in, is left alone.
fn take_hold(seat: &Seat, portrait: &ProcessInfo, port: Port) -> Result<Vec<os::Handle>, Refusal> {
    let inode = seat.socket.inode.unwrap_or_default();
    let spared = |pid: u32| pid == portrait.pid || pid == 1 || is_keeper(pid) || inspect::is_self_or_ancestor(pid);
    let mut handles = vec![
        os::Handle::open(portrait.pid).map_err(|source| Refusal::Failed { who: Box::new(portrait.clone()), source })?,
    ];
    let others = Processes::read().sharers(inode).to_vec().into_iter().filter(|&pid| !spared(pid));
    handles.extend(others.filter_map(|pid| os::Handle::open(pid).ok()));
    let still = Processes::read();
    handles.retain(|handle| still.sharers(inode).contains(&handle.id().pid));
    match handles.first() {
        Some(first) if first.id().pid == portrait.pid => Ok(handles),
        _ => Err(Refusal::Nobody { protocol: seat.socket.protocol, port }),
    }
}

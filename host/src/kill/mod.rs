//! Ends what has a port, if it may be ended.
//!
//! [`plan`] finds the processes and refuses what must not be killed; [`Plan::carry_out`] asks them to end, waits, and kills what is
//! left. Each process is held by a handle from before it was checked until it has ended, so a later one with its pid is safe.

mod carry_out;

pub use carry_out::{Ended, How};

use std::io;

use serde::Serialize;
use thiserror::Error;

use crate::explain::{Decision, Doubt, Explanation, Seat, Whose};
use crate::fs::describe;
use crate::handover::{MARK, mark_of};
use crate::model::{Port, ProcessId, Protocol};
use crate::os;
use crate::os::inspect::{self, user_text};
use crate::probe::{Process, Processes, may_serve};
use crate::who::{ProcessInfo, is_keeper};

/// Why nothing is ended.
#[derive(Debug, Error)]
pub enum Refusal {
    /// No process has the port.
    #[error("no process is using {protocol} port {port}")]
    Nobody {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
    },
    /// The kernel's socket tables cannot be read, so nothing is known.
    #[error("what is using {protocol} port {port} is unknown: the kernel's socket tables cannot be read")]
    Unknown {
        /// The protocol.
        protocol: Protocol,
        /// The port.
        port: Port,
    },
    /// Who has it cannot be seen.
    #[error("{protocol} port {port} belongs to a process of {} that this user may not see or end", someone(*.uid))]
    Unseen {
        /// What helps.
        instead: String,
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
    #[error("{who} is a hold of portkeeper's, not a server: {instead} gives the port back")]
    Keeper {
        /// The process.
        who: Box<ProcessInfo>,
        /// What does.
        instead: String,
    },
    /// It runs a command that cannot be distinguished from its other children.
    #[error("{who} has several children, and which of them is its command cannot be seen")]
    Unclear {
        /// The process.
        who: Box<ProcessInfo>,
        /// Its pid.
        pid: u32,
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
        /// What ends it all the same.
        instead: String,
        /// The process.
        who: Box<ProcessInfo>,
        /// What speaks against it.
        why: String,
    },
    /// It cannot be got hold of.
    #[error("{who} cannot be ended: {}", describe(.source))]
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

/// A process that ends with a server, because it has the server's socket as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Sharer {
    /// Its pid.
    pub pid: u32,
    /// Its name.
    pub command: String,
}

impl Victim {
    /// All that end with the server.
    #[must_use]
    pub fn sharers(&self) -> Vec<Sharer> {
        let sharer = |handle: &os::Handle| {
            let pid = handle.id().pid;
            Sharer { pid, command: inspect::command(pid).unwrap_or_default() }
        };
        self.handles.iter().skip(1).map(sharer).collect()
    }
}

/// Decides which processes to end, from the explanation. Without `force`, only those known to belong to the caller.
///
/// # Errors
/// [`Refusal`]; then no process is ended.
pub fn plan(explained: &Explanation, protocol: Protocol, force: bool) -> Result<Plan, Refusal> {
    let port = explained.port;
    if explained.unread.contains(&protocol) {
        return Err(Refusal::Unknown { protocol, port });
    }
    let mut seats: Vec<&Seat> =
        explained.sockets.iter().filter(|seat| seat.socket.protocol == protocol && seat.socket.is_held()).collect();
    // Without force the reservation decides: what is on other addresses of the port is not meant.
    if !force && seats.iter().any(|seat| seat.whose.is_some()) {
        seats.retain(|seat| seat.whose.is_some());
    }
    // What keeps the port beside a server goes on keeping it.
    if seats.iter().any(|seat| !seat.is_guard()) {
        seats.retain(|seat| !seat.is_guard());
    }
    if seats.is_empty() {
        return Err(Refusal::Nobody { protocol, port });
    }
    let mut victims: Vec<Victim> = Vec::new();
    for seat in seats {
        let Some(portrait) = &seat.process else {
            return Err(Refusal::Unseen { protocol, port, uid: seat.socket.uid, instead: seat.way_out(port) });
        };
        obey(seat, portrait, port, force)?;
        let handles = take_hold(seat, portrait, explained.command_of(seat), port)?;
        // Behind portkeeper it is the command that ends.
        let behind = handles.first().map(|first| first.id().pid).filter(|&pid| pid != portrait.pid);
        let behind = behind.map(|pid| {
            let command = inspect::command(pid).unwrap_or_default();
            ProcessInfo::of(&Process { pid, command, sharers: handles.len() })
        });
        let portrait = behind.as_ref().unwrap_or(portrait);
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

/// Whether the decision lets the process be ended.
fn obey(seat: &Seat, portrait: &ProcessInfo, port: Port, force: bool) -> Result<(), Refusal> {
    let who = || Box::new(portrait.clone());
    match seat.decision {
        Decision::Kill => Ok(()),
        Decision::KillWithForce(_) if force => Ok(()),
        Decision::KillWithForce(doubt) => {
            Err(Refusal::NotYours { who: who(), why: doubt_text(doubt, seat), instead: seat.way_out(port) })
        }
        Decision::EndYourself => Err(Refusal::Ourselves { who: who() }),
        Decision::Release => Err(Refusal::Keeper { who: who(), instead: seat.way_out(port) }),
        Decision::AskRoot | Decision::LookFromOutside => {
            let (protocol, instead) = (seat.socket.protocol, seat.way_out(port));
            Err(Refusal::Unseen { protocol, port, uid: portrait.uid, instead })
        }
        Decision::StopContainer | Decision::StopService | Decision::StopByHand => {
            Err(Refusal::StopInstead { who: who(), instead: seat.way_out(port) })
        }
    }
}

fn doubt_text(doubt: Doubt, seat: &Seat) -> String {
    match (doubt, &seat.whose) {
        (Doubt::OtherProject, Some(Whose::Other(project))) => {
            format!("the port is reserved for {}", project.display())
        }
        (Doubt::OtherProject | Doubt::NotReserved, _) => "the port is not reserved".to_owned(),
        (Doubt::OtherUser, _) => "it is another user's".to_owned(),
        (Doubt::WorksElsewhere, _) => "it works elsewhere, though the port is reserved for you".to_owned(),
        (Doubt::NoProject, _) => "it works elsewhere, and the reservation is for no project".to_owned(),
        (Doubt::Hold, _) => "it keeps the port for another command or registry".to_owned(),
    }
}

/// Opens a handle to each process that has the socket, then checks that each still has it: those that do are the ones that were meant. A
/// process that only keeps the socket for the server, one of another user that was only sent it, and what this command runs in, are left
/// alone.
fn take_hold(
    seat: &Seat,
    portrait: &ProcessInfo,
    recorded: Option<ProcessId>,
    port: Port,
) -> Result<Vec<os::Handle>, Refusal> {
    let inode = seat.socket.inode.unwrap_or_default();
    if portrait.keeper {
        return behind_the_keeper(portrait, recorded);
    }
    let spared = |pid: u32| {
        pid == portrait.pid
            || is_keeper(pid)
            || inspect::manages_services(pid)
            || inspect::speaks_for_containers(pid)
            || inspect::is_self_or_ancestor(pid)
            || !may_serve(pid, seat.socket.uid)
    };
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

/// Where portkeeper alone has the port: the command that it runs, whose end is its own as well, or the holder itself.
fn behind_the_keeper(portrait: &ProcessInfo, recorded: Option<ProcessId>) -> Result<Vec<os::Handle>, Refusal> {
    let who = || Box::new(portrait.clone());
    let commands = commands_of(portrait.pid, recorded);
    let commands = commands.ok_or_else(|| Refusal::Unclear { who: who(), pid: portrait.pid })?;
    let meant = if commands.is_empty() { vec![portrait.pid] } else { commands };
    let failed = |source| Refusal::Failed { who: who(), source };
    meant.into_iter().map(|pid| os::Handle::open(pid).map_err(failed)).collect()
}

/// The processes of the command that a portkeeper runs: the one in the registry, else those that bear its mark, else its only child. It may
/// have had children before (`sleep 60 & exec portkeeper run ...`), and take over those of others: where there are several, none can be told
/// from them, and there is no answer. What it has started of its own program watches over it, and ends with it.
fn commands_of(keeper: u32, recorded: Option<ProcessId>) -> Option<Vec<u32>> {
    let mut children = inspect::children(keeper);
    let is_there = |process: ProcessId| os::process_id(process.pid).is_ok_and(|found| found == Some(process));
    if let Some(command) = recorded.filter(|&process| is_there(process)).map(|process| process.pid) {
        if command == keeper {
            return Some(Vec::new());
        }
        if children.contains(&command) {
            return Some(vec![command]);
        }
    }
    let mark = mark_of(keeper);
    let is_marked = |&child: &u32| mark.is_some() && inspect::variable(child, MARK) == mark;
    if children.iter().any(is_marked) {
        children.retain(is_marked);
        return Some(children);
    }
    children.retain(|&child| !is_keeper(child));
    (children.len() < 2).then_some(children)
}

//! What a command leaves running when it has ended (Linux).
//!
//! A script that starts a server in the background and ends, or is ended, leaves that server behind, and with the end of this process
//! nothing would keep its port. So what has stayed in the command's process group or session is asked to end, and ended after a while.
//! What has made a session of its own (daemons, build servers) means to stay, and is only named.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::family::{self, Member, Origin, Origination};
use super::supervise::Supervisor;
use super::{LeftProcess, RunEvent};
use crate::model::{Port, Protocol};
use crate::os::inspect;
use crate::probe::{SocketState, Sockets};

/// How often it is looked whether they have ended; the end of children is heard of at any time.
const INTERVAL: Duration = Duration::from_millis(50);
/// How long a killed process may take.
const AFTER_KILL: Duration = Duration::from_secs(2);

/// A port that was kept, and its addresses.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) protocol: Protocol,
    pub(crate) port: Port,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Ends what the command has left where it was itself, within the time, and killed after it. A further signal that asks to end
/// cuts the time short.
///
/// # Errors
/// What the system says.
pub(crate) fn end(supervisor: &mut Supervisor<'_>, patience: Duration) -> io::Result<()> {
    let mut deadline = Instant::now() + patience;
    let (mut asked, mut killed) = (HashMap::new(), HashSet::new());
    loop {
        let left = to_end(supervisor);
        let now = Instant::now();
        if left.is_empty() || now >= deadline + AFTER_KILL {
            return Ok(());
        }
        for member in &left {
            let process = (member.pid, member.started);
            if now >= deadline && killed.insert(process) {
                let command = inspect::command(member.pid).unwrap_or_default();
                if send(member, Signal::KILL)
                    && let Some(asked) = asked.get(&process)
                {
                    supervisor.tell(RunEvent::Killed { pid: member.pid, command, after: now - *asked });
                }
            } else if now < deadline && !asked.contains_key(&process) {
                asked.insert(process, now);
                ask_to_end(member);
            }
        }
        if supervisor.turn(Some(INTERVAL))?.to_end {
            deadline = deadline.min(Instant::now());
        }
    }
}

/// With the first process of a container all others end, so that all of them are asked.
fn to_end(supervisor: &Supervisor<'_>) -> Vec<Member> {
    if std::process::id() == 1 {
        return family::all();
    }
    let origin = supervisor.origin();
    let mut members = family::members();
    members.retain(|member| origin.has(member));
    members
}

/// One that was stopped hears it only when it goes on.
fn ask_to_end(member: &Member) {
    send(member, Signal::TERM);
    send(member, Signal::CONT);
}

/// Sends it to this very process, not to a later one with its pid; whether it may be sent it.
fn send(member: &Member, signal: Signal) -> bool {
    let pid = i32::try_from(member.pid).ok().and_then(Pid::from_raw);
    let Some(process) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return false };
    let is_it = Member::look(member.pid).is_some_and(|now| now.started == member.started);
    is_it && pidfd_send_signal(&process, signal).is_ok()
}

/// What is left in the end, one process for each session: those of the command's with sessions of their own, those that may be the
/// command's, and all that have a port. With `kept`, as was asked for, only these.
pub(crate) fn remaining(origin: Origin, places: &[Place], kept: bool) -> Vec<LeftProcess> {
    let members = family::all_with_origination();
    if members.is_empty() {
        return Vec::new();
    }
    let listeners = listeners(places);
    let mut sessions: BTreeMap<(u32, Option<u32>), LeftProcess> = BTreeMap::new();
    for (member, origination) in members {
        let ports: Vec<_> =
            family::socket_inodes(member.pid).filter_map(|inode| listeners.get(&inode).copied()).collect();
        if ports.is_empty() && (kept || origination == Origination::Earlier) {
            continue;
        }
        let Some(command) = inspect::command(member.pid) else { continue };
        let own_session = !origin.has(&member);
        let uncertain = origination == Origination::Unknown;
        let new = || LeftProcess { pid: member.pid, command, own_session, uncertain, ports: Vec::new() };
        let left = sessions.entry((member.session, uncertain.then_some(member.pid))).or_insert_with(new);
        left.ports.extend(ports);
        left.ports.sort_unstable();
        left.ports.dedup();
    }
    sessions.into_values().collect()
}

/// What may be left that cannot be looked for.
pub(crate) fn unseen(places: &[Place], kept: bool) -> Option<RunEvent> {
    let why = family::unseen()?;
    let mut ports: Vec<_> = listeners(places).into_values().collect();
    ports.sort_unstable();
    ports.dedup();
    (!kept || !ports.is_empty()).then_some(RunEvent::LeftUnseen { ports, why })
}

/// The sockets that have one of the ports now, by inode.
fn listeners(places: &[Place]) -> HashMap<u64, Port> {
    let mut found = HashMap::new();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let mut places = places.iter().filter(|place| place.protocol == protocol).peekable();
        let Some(sockets) = places.peek().and_then(|_| Sockets::read_listeners(protocol).ok()) else { continue };
        for Place { port, addresses, .. } in places {
            let listening = sockets.occupants(*port, addresses).into_iter();
            let listening = listening.filter(|occupant| occupant.state == SocketState::Listening);
            found.extend(listening.filter_map(|occupant| Some((occupant.inode?, *port))));
        }
    }
    found
}

//! What callers ask of holders.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::channel::{Channel, Message};
use super::{HeldPort, HoldDirectory, HoldError};
use crate::fs::describe;
use crate::model::{Hold, HoldId, Port, Protocol};
use crate::os::{self, Liveness};

/// A port, as holders know it.
type What = (Protocol, Port);

/// Copies of the sockets of these ports, which their holder keeps until it is asked to [`forget`] them: there is no moment in which no
/// process has them.
///
/// # Errors
/// [`HoldError`]: the holder is a program that holds for itself, is gone, or does not answer.
pub fn share(directory: &HoldDirectory, hold: &Hold, ports: &[What]) -> Result<Vec<HeldPort>, HoldError> {
    let id = file_of(hold, ports)?;
    let copy = || {
        let holder = Channel::call(&directory.socket(id))?;
        holder.send(&Message::Share(ports.to_vec()), &[])?;
        let mut copies = Vec::with_capacity(ports.len());
        loop {
            match holder.receive()? {
                Some((Message::Port(port), sockets)) => copies.push(port.with(sockets)),
                Some((Message::Done, _)) => return Ok(copies),
                Some((Message::Failed(why), _)) => return Err(io::Error::other(why)),
                _ => return Err(io::Error::other("it hung up")),
            }
        }
    };
    copy().map_err(|error| not_answering(hold, ports, &error))
}

/// Makes the holder let go of these ports. When this returns, the kernel has them back. A holder that is gone has let go.
///
/// One that does not answer is ended, if these are all of its ports and there is proof that it is the holder.
///
/// # Errors
/// [`HoldError::InProcess`], [`HoldError::NotAnswering`].
pub fn forget(directory: &HoldDirectory, hold: &Hold, ports: &[What]) -> Result<(), HoldError> {
    let id = file_of(hold, ports)?;
    let ask = || {
        let holder = Channel::call(&directory.socket(id))?;
        holder.send(&Message::Forget(ports.to_vec()), &[])?;
        holder.done()
    };
    let Err(error) = ask() else { return Ok(()) };
    if directory.liveness(id) == Liveness::Ended {
        directory.remove(id);
        return Ok(());
    }
    if lists_only(directory, id, ports) && end(directory, hold, id).is_ok_and(|ended| ended) {
        directory.remove(id);
        return Ok(());
    }
    Err(not_answering(hold, ports, &error))
}

/// Whether the hold file proves that the holder has no other ports. One that says nothing, lists nothing, or cannot be read, proves nothing.
fn lists_only(directory: &HoldDirectory, id: HoldId, ports: &[What]) -> bool {
    let Ok(Some(listed)) = directory.read(id) else { return false };
    !listed.is_empty() && listed.iter().all(|listed| ports.contains(&(listed.protocol, listed.port)))
}

/// Ends the holder's process; false when there is no proof that it is the holder.
///
/// Proof: the process with that pid has started when the holder did, and has the very file open whose lock says that the holder
/// lives. The pidfd is opened before that is looked at, so no other process can be hit.
fn end(directory: &HoldDirectory, hold: &Hold, id: HoldId) -> io::Result<bool> {
    let Some(pid) = i32::try_from(hold.holder.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    if os::liveness(&hold.holder) != Liveness::Alive || !os::has_open(hold.holder.pid, &directory.file(id)) {
        return Ok(false);
    }
    pidfd_send_signal(&process, Signal::KILL)?;
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        let mut waiting = [PollFd::new(&process, PollFlags::IN)];
        if poll(&mut waiting, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })).is_ok_and(|ready| ready > 0) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn file_of(hold: &Hold, ports: &[What]) -> Result<HoldId, HoldError> {
    let port = ports.first().map(|&(_, port)| port);
    match (hold.file, port) {
        (Some(id), _) => Ok(id),
        (None, Some(port)) => Err(HoldError::InProcess { port, pid: hold.holder.pid }),
        (None, None) => Err(HoldError::GaveUp("no port was named".to_owned())),
    }
}

fn not_answering(hold: &Hold, ports: &[What], error: &io::Error) -> HoldError {
    let why = describe(error);
    match ports.first() {
        Some(&(_, port)) => HoldError::NotAnswering { port, pid: hold.holder.pid, why },
        None => HoldError::GaveUp(why),
    }
}

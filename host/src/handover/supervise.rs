//! The time between a command's start and its end.

use std::io;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use super::signals::Signals;
use super::{Ended, HandoverDriver, RunEvent};

/// Stays until the command ends: passes on signals, lets the keeper do its work, and waits for all children, inherited ones included.
///
/// # Errors
/// What the system says.
pub(crate) fn supervise(
    command: Pid,
    signals: &mut Signals,
    keeper: &mut dyn HandoverDriver,
    news: &mut dyn FnMut(RunEvent),
) -> io::Result<Ended> {
    // It may have ended before anybody looked.
    let mut ended = reap(command)?;
    let mut next_look = Some(Instant::now());
    while ended.is_none() {
        let now = Instant::now();
        if next_look.is_some_and(|next| next <= now) {
            next_look = keeper.look(now, news).map(|patience| now + patience);
        }
        let patience = next_look.and_then(|next| Timespec::try_from(next.saturating_duration_since(now)).ok());
        let waits_for = keeper.waits_for();
        let mut fds = vec![PollFd::from_borrowed_fd(signals.waits_for(), PollFlags::IN)];
        fds.extend(waits_for.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let readable = fds.get(1).is_some_and(|fd| fd.revents().contains(PollFlags::IN));
        if readable {
            keeper.readable(news);
        }
        if signals.relay(command) {
            ended = reap(command)?;
        }
    }
    Ok(ended.unwrap_or(Ended::Code(0)))
}

/// Fetches the exit codes of all children that have ended.
fn reap(command: Pid) -> io::Result<Option<Ended>> {
    let mut ended = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == command => ended = Some(how(status)),
            Ok(Some(_)) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(ended),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn how(status: WaitStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal),
        None => Ended::Code(status.exit_status().unwrap_or_default()),
    }
}

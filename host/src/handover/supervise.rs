//! The time between a command's start and its end.

use std::io;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use super::signals::{Heard, Signals};
use super::{Ended, HandoverDriver, RunEvent};

/// Stays with a command: passes on signals, lets the driver do its work, and waits for all children, inherited ones included.
pub(crate) struct Supervisor<'a> {
    command: Pid,
    signals: &'a mut Signals,
    driver: &'a mut dyn HandoverDriver,
    news: &'a mut dyn FnMut(RunEvent),
    next_look: Option<Instant>,
    ended: Option<Ended>,
    /// The command's process group and session, seen at its end.
    #[cfg(target_os = "linux")]
    origin: super::family::Origin,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn new(
        command: Pid,
        signals: &'a mut Signals,
        driver: &'a mut dyn HandoverDriver,
        news: &'a mut dyn FnMut(RunEvent),
    ) -> Self {
        let next_look = Some(Instant::now());
        Self {
            command,
            signals,
            driver,
            news,
            next_look,
            ended: None,
            #[cfg(target_os = "linux")]
            origin: super::family::Origin::of_this_process(),
        }
    }

    /// Stays until the command ends.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn until_it_ends(&mut self) -> io::Result<Ended> {
        // It may have ended before anything looked.
        self.reap()?;
        loop {
            match self.ended {
                Some(ended) => return Ok(ended),
                None => self.turn(None).map(drop)?,
            }
        }
    }

    /// Waits for whatever comes next, for a time at most, and does what there is to do.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn turn(&mut self, most: Option<Duration>) -> io::Result<Heard> {
        let now = Instant::now();
        if self.next_look.is_some_and(|next| next <= now) {
            self.next_look = self.driver.look(now, self.news).map(|patience| now + patience);
        }
        let look = self.next_look.map(|next| next.saturating_duration_since(now));
        let patience = look.into_iter().chain(most).min().and_then(|patience| Timespec::try_from(patience).ok());
        let watch = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let watched = self.driver.waits_for(now);
        let mut fds: Vec<_> = [self.signals.waits_for()].into_iter().chain(watched).map(watch).collect();
        match poll(&mut fds, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_readable = |fd: &PollFd<'_>| fd.revents().contains(PollFlags::IN);
        let readable: Vec<_> = (0..fds.len() - 1).filter(|&index| is_readable(&fds[index + 1])).collect();
        drop(fds);
        if !readable.is_empty() {
            self.driver.readable(&readable, self.news);
        }
        let heard = self.signals.relay(self.ended.is_none().then_some(self.command));
        if heard.children {
            self.reap()?;
            // What has ended may have been a server.
            self.next_look = self.next_look.map(|_| Instant::now());
        }
        Ok(heard)
    }

    /// Reports what happened.
    #[cfg(target_os = "linux")]
    pub(crate) fn tell(&mut self, news: RunEvent) {
        (self.news)(news);
    }

    /// Where the command was when it ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn origin(&self) -> super::family::Origin {
        self.origin
    }

    /// Fetches the exit codes of all children that have ended.
    fn reap(&mut self) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if self.ended.is_none() {
            self.origin.look(self.command);
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.command => self.ended = Some(how(status)),
                Ok(Some(_)) => {}
                Ok(None) | Err(Errno::CHILD) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn how(status: WaitStatus) -> Ended {
    match status.terminating_signal() {
        Some(signal) => Ended::Signal(signal),
        None => Ended::Code(status.exit_status().unwrap_or_default()),
    }
}

//! What goes on keeping ports while a command runs.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::RunEvent;

/// Keeps ports while a command runs.
pub(crate) trait HandoverDriver {
    /// What to watch for.
    fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// What it waits for is there.
    fn readable(&mut self, _: &mut dyn FnMut(RunEvent)) {}

    /// Looks after the ports, and says when to look again.
    fn look(&mut self, _: Instant, _: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        None
    }

    /// The command has ended. What it leaves behind may still need someone.
    #[cfg(target_os = "linux")]
    fn end(self: Box<Self>) {}
}

/// Keeps nothing: the ports were let go.
#[derive(Debug)]
pub(crate) struct Nothing;

impl HandoverDriver for Nothing {}

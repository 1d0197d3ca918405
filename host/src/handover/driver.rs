//! What goes on keeping ports while a command runs.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::RunEvent;

/// Keeps ports while a command runs.
pub(crate) trait HandoverDriver {
    /// What to watch for, now.
    fn waits_for(&self, _: Instant) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// The descriptors at these positions of [`waits_for`](Self::waits_for) are readable.
    fn readable(&mut self, _: &[usize], _: &mut dyn FnMut(RunEvent)) {}

    /// Looks after the ports, and says when to look again.
    fn look(&mut self, _: Instant, _: &mut dyn FnMut(RunEvent)) -> Option<Duration> {
        None
    }

    /// Whether any process has bound one of the ports, as far as that can be seen.
    #[cfg(target_os = "linux")]
    fn was_bound(&self) -> bool {
        true
    }

    /// The command has ended. What it leaves behind may still need answers.
    #[cfg(target_os = "linux")]
    fn end(self: Box<Self>) {}
}

/// Keeps nothing: the ports were let go.
#[derive(Debug)]
pub(crate) struct Nothing;

impl HandoverDriver for Nothing {}

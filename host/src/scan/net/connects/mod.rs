//! Connection attempts, and how each of them ends.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(target_os = "linux")]
pub(super) use epoll::Connects;

/// Tests run it on Linux, too.
#[cfg(any(test, not(target_os = "linux")))]
mod tasks;
#[cfg(not(target_os = "linux"))]
pub(super) use tasks::Connects;

use crate::scan::strategy::Verdict;

/// What became of the start of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "what only Linux tells"))]
pub(super) enum Started {
    /// It is under way.
    Yes,
    /// It is over already.
    Over(Verdict),
    /// There is no room for it now.
    NotNow,
    /// There is no way there.
    Never,
}

#[cfg(all(test, target_os = "linux"))]
mod tests;

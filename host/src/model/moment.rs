//! A point in time on the two clocks that leases need.

use std::time::Duration;

use jiff::Timestamp;

/// Now, as one reading of both clocks.
///
/// Rooms take a `Moment` instead of reading a clock, so that what they decide can be tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock. It can jump.
    pub wall: Timestamp,
    /// Time since the machine started, time asleep included (`CLOCK_BOOTTIME`, clock_gettime(2)). It never jumps, and
    /// means nothing in another boot.
    pub since_boot: Duration,
}

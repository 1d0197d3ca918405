//! Who is behind a port: the sockets on it, the processes that have them, and whose those are.
//!
//! [`sockets_on`] answers for a port, [`ProcessInfo`] says of a process what people and agents want to know of it, and [`ownership`] says
//! whether a process is the one that a reservation was made for.

mod ownership;
mod process_info;
mod project;
mod sockets;

pub use ownership::{Ownership, ownership};
pub use process_info::{Parent, ProcessInfo};
pub use project::{Reach, project_directory, seen_from};
pub use sockets::{OnPort, sockets_on};

use crate::os::inspect;

/// Whether the process is portkeeper itself, which has sockets only to keep them for others.
#[must_use]
pub fn is_keeper(pid: u32) -> bool {
    inspect::runs_our_program(pid)
}

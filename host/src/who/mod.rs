//! Who is behind a port: the sockets on it, the processes that have them, and whose those are.
//!
//! [`sockets_on`] answers for a port, [`Portrait`] tells of a process what people and agents want to know of it, and
//! [`ownership`] says whether a process is the one that a reservation was made for.

mod ownership;
mod portrait;
mod project;
mod sockets;

pub use ownership::{Ownership, ownership};
pub use portrait::{Parent, Portrait};
pub use project::{is_in, project_folder, seen_from};
pub use sockets::{OnPort, sockets_on};

use crate::os::inspect;

/// Whether the process is portkeeper itself, which has sockets only to keep them for others.
#[must_use]
pub fn is_keeper(pid: u32) -> bool {
    inspect::runs_our_program(pid)
}

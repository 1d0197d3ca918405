//! Keeps ports with sockets, so that the kernel itself enforces a reservation.

mod sockets;

pub use sockets::{Claim, HeldPort, HeldSocket, claim};

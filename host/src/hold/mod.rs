//! Keeps ports with sockets, so that the kernel itself enforces a reservation.
//!
//! [`claim`] takes a port: sockets that are bound on all of its addresses, and never listen. What has them is the holder: a small
//! process of its own ([`Background`]), a command in the foreground ([`Foreground`]), or the program that reserved the port
//! ([`InProcess`]). Sockets are never closed and bound again on their way from one to the other; they are handed over
//! (`SCM_RIGHTS`, unix(7)), so there is no moment in which no process has them.
//!
//! Holders that other processes need to find have a [hold file](HoldDirectory) and a control socket, by which they are asked to share
//! ([`share`]) and to let go ([`forget`]).
//!
//! Holders of their own are Linux's. Elsewhere a program still holds ports for itself, exclusively.

mod backend;
mod directory;
mod error;
mod in_process;
mod sockets;

#[cfg(target_os = "linux")]
mod background;
#[cfg(target_os = "linux")]
mod callers;
#[cfg(target_os = "linux")]
mod channel;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod foreground;
#[cfg(target_os = "linux")]
mod holder;
#[cfg(target_os = "linux")]
mod holder_main;
#[cfg(target_os = "linux")]
mod moving;
#[cfg(target_os = "linux")]
mod pending;

pub use backend::{Claims, HoldBackend};
#[cfg(target_os = "linux")]
pub use background::Background;
#[cfg(target_os = "linux")]
pub use client::{forget, share};
pub use directory::{HeldByFiles, HoldDirectory};
pub use error::HoldError;
#[cfg(target_os = "linux")]
pub use foreground::Foreground;
#[cfg(target_os = "linux")]
pub use holder::{End, Holder};
#[cfg(target_os = "linux")]
pub use holder_main::holder_main;
pub use in_process::InProcess;
pub use sockets::{Claim, HeldPort, HeldSocket, claim};

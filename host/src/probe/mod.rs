//! What the kernel says about a port now.
//!
//! [`probe`] asks the only way that can't be fooled: it binds the port. Who is there when that fails, [`Sockets`] reads from the
//! kernel's tables, and [`Processes`] finds the programs behind them.

mod addresses;
mod bind;
mod error;
mod port;
mod processes;
mod sockets;

pub use addresses::local_addresses;
pub use error::ProbeError;
pub use port::{PortState, probe};
pub use processes::{Process, Processes};
pub use sockets::{Occupant, SocketState, Sockets};

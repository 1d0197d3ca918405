//! What the kernel says about a port now.
//!
//! [`probe`] asks the only way that cannot be fooled: it binds the port. Who is there when that fails, [`Sockets`] reads from the
//! kernel's tables, and [`Processes`] finds the programs behind them.

mod addresses;
mod bind;
mod error;
mod port;
mod processes;
mod sockets;

pub use addresses::{is_local, is_ours, local_addresses};
pub(crate) use bind::{Sharing, bind_family, lacks_family, refusal};
pub use error::ProbeError;
pub(crate) use port::is_answered;
pub use port::{PortState, can_bind, probe};
pub use processes::{Process, Processes, may_serve};
#[cfg(target_os = "linux")]
pub(crate) use sockets::clients;
pub use sockets::{Occupant, SocketState, Sockets};

/// Every address of the machine, of both families.
pub const ANYWHERE: [std::net::IpAddr; 1] = [std::net::IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED)];

/// Waits until it is so. While another test starts a process, that has copies of all our sockets until it runs its program,
/// so a port that a test has closed may be in use for a moment more.
#[cfg(test)]
fn eventually(is_so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while !is_so() {
        assert!(std::time::Instant::now() < deadline, "still not so after 5 s");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

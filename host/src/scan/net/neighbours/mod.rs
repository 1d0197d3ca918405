//! Which hosts answer on the links of this machine, as far as the system reports it.

#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
pub(super) use netlink::Neighbours;

#[cfg(not(target_os = "linux"))]
mod none;
#[cfg(not(target_os = "linux"))]
pub(super) use none::Neighbours;

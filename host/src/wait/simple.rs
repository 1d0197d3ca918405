//! The calls of portend, for programs.

use std::time::Duration;

use super::{Condition, INTERVAL, State, Target, TargetError, WaitError, wait};
use crate::model::{Port, Protocol};
use crate::policy::{KernelPorts, good_ports};
use crate::probe::{ANYWHERE, PortState, ProbeError, probe};

/// Waits until the port is free: no address of the host takes a connection, and on this machine nothing is bound. What is left of
/// closed connections does not count. Looks at least once; without a timeout it waits forever.
///
/// ```no_run
/// # fn main() -> Result<(), portkeeper::wait::WaitError> {
/// portkeeper::wait::wait_free("::1", 80, Some(std::time::Duration::from_secs(5)))?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`WaitError::Timeout`], and [`WaitError::Target`] for a host that cannot be resolved.
pub fn wait_free(host: &str, port: u16, timeout: Option<Duration>) -> Result<(), WaitError> {
    wait(&[target(host, port, timeout)?], &Condition::new(State::Free), timeout, INTERVAL)
}

/// Waits until any address of the host takes a connection at the port. Looks at least once; without a timeout it waits forever.
///
/// # Errors
/// [`WaitError::Timeout`], and [`WaitError::Target`] for a host that cannot be resolved.
pub fn wait_occupied(host: &str, port: u16, timeout: Option<Duration>) -> Result<(), WaitError> {
    wait(&[target(host, port, timeout)?], &Condition::new(State::Occupied), timeout, INTERVAL)
}

/// Makes sure that the port is free now, in the meaning of [`wait_free`].
///
/// # Errors
/// As [`wait_free`].
pub fn assert_free(host: &str, port: u16) -> Result<(), WaitError> {
    wait_free(host, port, Some(Duration::ZERO))
}

/// A good port of the policy that is free on every address of the machine now. Nothing keeps it: to have it for yourself, reserve it
/// ([`PortRegistry::reserve`](crate::PortRegistry::reserve)).
///
/// # Errors
/// [`ProbeError`], also when every good port is in use.
pub fn find_available_port() -> Result<Port, ProbeError> {
    let mut ports = good_ports(Protocol::Tcp, &KernelPorts::here(), fastrand::u64(..));
    let mut last = Ok(());
    let found = ports.find(|&port| match probe(Protocol::Tcp, port, &ANYWHERE) {
        Ok(state) => state == PortState::Free,
        Err(error) => {
            last = Err(error);
            false
        }
    });
    match (found, last) {
        (Some(port), _) => Ok(port),
        (None, Err(error)) => Err(error),
        (None, Ok(())) => Err(ProbeError::NoneFree),
    }
}

fn target(host: &str, port: u16, timeout: Option<Duration>) -> Result<Target, TargetError> {
    let asked = || format!("{host}:{port}");
    let host = host.parse().map_err(|source| TargetError::Host { asked: asked(), source })?;
    let port = port.try_into().map_err(|source| TargetError::Port { asked: asked(), source })?;
    Target::resolve(&host, port, timeout)
}

//! Where the kernel shows no table, each port is asked.

use std::net::IpAddr;

use super::{Occupant, SocketState};
use crate::model::{Port, Protocol};
use crate::probe::ProbeError;
use crate::probe::bind::{Sharing, bind_all};
use crate::probe::port::is_answered;

/// The sockets of one protocol on this machine.
#[derive(Debug, Clone)]
pub struct Sockets(Protocol);

impl Sockets {
    /// Ready to ask.
    ///
    /// # Errors
    /// None on this platform.
    pub fn read(protocol: Protocol) -> Result<Self, ProbeError> {
        Ok(Self(protocol))
    }

    /// The same: asking for less is no faster.
    ///
    /// # Errors
    /// None on this platform.
    pub fn read_listeners(protocol: Protocol) -> Result<Self, ProbeError> {
        Self::read(protocol)
    }

    /// Whether a socket listens on the port: a TCP listener answers, a UDP socket keeps us from binding. What cannot be asked may listen.
    #[must_use]
    pub fn listening(&self, port: Port, addresses: &[IpAddr]) -> bool {
        match self.0 {
            Protocol::Tcp => is_answered(port, addresses).unwrap_or(true),
            Protocol::Udp => !addresses
                .iter()
                .all(|&address| matches!(bind_all(self.0, port, &[address], Sharing::Nothing), Ok(Some(_)))),
        }
    }

    /// One for each of the addresses on which the port cannot be bound.
    #[must_use]
    pub fn occupants(&self, port: Port, addresses: &[IpAddr]) -> Vec<Occupant> {
        let used = addresses.iter().copied().filter(|&address| self.is_used(port, address));
        let occupant = |address| {
            let state = if self.listening(port, &[address]) { SocketState::Listening } else { SocketState::Bound };
            Occupant { address, state, inode: None, uid: None }
        };
        used.map(occupant).collect()
    }

    fn is_used(&self, port: Port, address: IpAddr) -> bool {
        matches!(bind_all(self.0, port, &[address], Sharing::Nothing), Ok(None))
    }
}

//! Which port a program asks for.

use std::net::IpAddr;

use super::NameOf;
use crate::model::{HoldKind, Host, HostError, Lease, Name, Port, PortError, PortRange, Protocols};
use crate::os;
use crate::probe::local_addresses;
use crate::registry::RegistryError;
use crate::reserve::{GRACE, NameRequest, PortSelector, Request, ReserveError};

/// Which port to reserve. Without anything said: one of the policy's good ports on the loopback addresses, for TCP.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    exactly: Option<Port>,
    preferred: Option<Port>,
    range: Option<PortRange>,
    host: Option<Host>,
    protocols: Option<Protocols>,
    owner: Option<String>,
    hold: Option<HoldKind>,
}

impl Selection {
    /// Any good port.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// This port or none.
    ///
    /// # Errors
    /// [`PortError`] for 0.
    pub fn port(mut self, port: u16) -> Result<Self, PortError> {
        self.exactly = Some(port.try_into()?);
        Ok(self)
    }

    /// This port if it is free.
    ///
    /// # Errors
    /// [`PortError`] for 0.
    pub fn preferred(mut self, port: u16) -> Result<Self, PortError> {
        self.preferred = Some(port.try_into()?);
        Ok(self)
    }

    /// One of the ports from `first` to `last`, ascending.
    ///
    /// # Errors
    /// [`PortError`] for 0, and for a range that runs backward.
    pub fn range(mut self, first: u16, last: u16) -> Result<Self, PortError> {
        self.range = Some(PortRange::new(first.try_into()?, last.try_into()?)?);
        Ok(self)
    }

    /// On this address, or on those of this name.
    ///
    /// # Errors
    /// [`HostError`] for text that can be neither.
    pub fn host(mut self, host: &str) -> Result<Self, HostError> {
        self.host = Some(host.parse()?);
        Ok(self)
    }

    /// For this protocol, or with [`Protocols::Both`] for TCP and UDP: one port with the same number, of which
    /// [`Reserved::take_udp`](super::Reserved::take_udp) has the second half.
    #[must_use]
    pub fn protocol(mut self, protocols: impl Into<Protocols>) -> Self {
        self.protocols = Some(protocols.into());
        self
    }

    /// For this owner: shown by `portkeeper status`.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    pub(super) fn naming(&self, name: &Name, of: &NameOf) -> Result<NameRequest, ReserveError> {
        let host = self.host.clone().map(|host| local_addresses(&host).map(|addresses| (host, addresses)));
        let says_which = self.preferred.is_some() || self.range.is_some();
        let choice = match self.exactly {
            Some(port) => Some(PortSelector::allow_in_use(port)),
            None => says_which.then(|| PortSelector::new(self.preferred, self.range)),
        };
        Ok(NameRequest {
            name: name.clone(),
            project: of.0.clone(),
            choice,
            host: host.transpose()?,
            protocols: self.protocols,
            owner: self.owner.clone(),
            hold: None,
        })
    }

    /// Held by sockets of this process from the moment it is chosen, so that no other program can bind it. See
    /// [`Reserved::into_listener`](super::Reserved::into_listener).
    #[must_use]
    pub fn hold(mut self, kind: HoldKind) -> Self {
        self.hold = Some(kind);
        self
    }

    pub(super) fn request(&self) -> Result<Request, ReserveError> {
        let choice = match self.exactly {
            Some(port) => PortSelector::exactly(port),
            None => PortSelector::new(self.preferred, self.range),
        };
        let choice = if self.host.is_none() { choice.everywhere() } else { choice };
        let host = self.host.clone().unwrap_or_default();
        let addresses = local_addresses(&host)?;
        self.request_on(host, addresses, choice)
    }

    pub(super) fn request_on(
        &self,
        host: Host,
        addresses: Vec<IpAddr>,
        choice: PortSelector,
    ) -> Result<Request, ReserveError> {
        // Where the platform reports nothing about our own process, a grace has to do.
        let this = os::process_id(std::process::id()).map_err(RegistryError::from)?;
        let lease = this.map_or(Lease::Grace { length: GRACE }, Lease::Process);
        let (protocols, owner) = (self.protocols.unwrap_or_default(), self.owner.clone());
        Ok(Request { host, addresses, protocols, choice, owner, lease, hold: self.hold })
    }

    #[cfg(feature = "scan")]
    pub(super) fn choice_within(&self, default: PortRange) -> PortSelector {
        let range = self.range.unwrap_or(default);
        self.exactly.map_or_else(|| PortSelector::new(self.preferred, Some(range)), PortSelector::exactly)
    }
}

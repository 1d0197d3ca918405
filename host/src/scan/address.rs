//! Where a host is.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use serde::{Serialize, Serializer};

use crate::model::Port;

/// An address on the network, in the order of reports: IPv4 first, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The number of the interface that leads there; 0: whichever the routes say. A link-local address of IPv6 always needs one
    /// (RFC 4007).
    pub zone: u32,
}

impl Address {
    /// The address, by whichever interface the routes say.
    #[must_use]
    pub fn routed(ip: IpAddr) -> Self {
        Self { ip, zone: 0 }
    }

    /// The address as sockets take it.
    #[must_use]
    pub fn socket(self, port: Port) -> SocketAddr {
        match self.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => SocketAddrV6::new(ip, port.get(), 0, self.zone).into(),
            ip => SocketAddr::new(ip, port.get()),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self::routed(ip)
    }
}

/// `192.0.2.1`, and with its zone `fe80::1%2`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V6(ip) if ip.is_unicast_link_local() && self.zone != 0 => write!(f, "{ip}%{}", self.zone),
            ip => ip.fmt(f),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address of a network card (IEEE 802), written `02:00:5e:00:53:01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// The second half of the IPv6 address that a host makes of its card's address (RFC 4291, appendix A).
    #[must_use]
    pub fn interface_id(self) -> [u8; 8] {
        let Self([a, b, c, d, e, f]) = self;
        [a ^ 2, b, c, 0xff, 0xfe, d, e, f]
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([a, b, c, d, e, g]) = self;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_link_local_addresses_show_their_zone() {
        let at = |ip: &str, zone| Address { ip: ip.parse().unwrap(), zone };
        assert_eq!(at("fe80::1", 2).to_string(), "fe80::1%2");
        assert_eq!(at("2001:db8::1", 2).to_string(), "2001:db8::1");
        assert_eq!(at("192.0.2.1", 2).to_string(), "192.0.2.1");
        let SocketAddr::V6(socket) = at("fe80::1", 2).socket(Port::new(80).unwrap()) else { panic!("IPv6") };
        assert_eq!(socket.scope_id(), 2);
    }

    #[test]
    fn a_card_makes_an_interface_id() {
        // The example of RFC 4291, appendix A: 34-56-78-9A-BC-DE.
        let mac = Mac([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
        assert_eq!(mac.interface_id(), [0x36, 0x56, 0x78, 0xff, 0xfe, 0x9a, 0xbc, 0xde]);
        assert_eq!(mac.to_string(), "34:56:78:9a:bc:de");
    }
}

//! A host as users write it, and which addresses it stands for.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// A host: an IP address or a name, as it was written.
///
/// `localhost` and `127.0.0.1` stand for both loopback addresses, because a server that is given one of them may listen on either and a
/// client may try either.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Host(Cow<'static, str>);

/// Text that can be neither an address nor a host name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a host: use an IP address like 127.0.0.1 or a name like localhost, without a port or a scheme")]
pub struct HostError(String);

/// The host when none is named.
const DEFAULT: &str = "127.0.0.1";

/// The loopback addresses of both families (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3).
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The longest host name, in bytes (RFC 1035, section 2.3.4, less the length bytes).
const LONGEST_NAME: usize = 253;

impl Host {
    /// The host as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The addresses that the text itself gives: both loopback addresses for `localhost` and `127.0.0.1`, the address for
    /// any other literal, none for a name that has to be looked up.
    #[must_use]
    pub fn literal_addresses(&self) -> Option<Vec<IpAddr>> {
        if self.is_loopback() {
            return Some(LOOPBACK.to_vec());
        }
        self.0.parse().ok().map(|address| vec![address])
    }

    /// Whether it is the host that is used when none is named.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == DEFAULT
    }

    /// Whether [`Host::literal_addresses`] gives these.
    #[must_use]
    pub fn implies(&self, addresses: &[IpAddr]) -> bool {
        if self.is_loopback() { addresses == LOOPBACK } else { self.literal_addresses().as_deref() == Some(addresses) }
    }

    fn is_loopback(&self) -> bool {
        self.0 == DEFAULT || self.0.eq_ignore_ascii_case("localhost")
    }
}

impl Default for Host {
    fn default() -> Self {
        Self(Cow::Borrowed(DEFAULT))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Host {
    type Err = HostError;

    /// Brackets around an IPv6 address, as in a URL, are taken off.
    fn from_str(text: &str) -> Result<Self, HostError> {
        // Nearly every host there is: a large registry has thousands, and none of them needs memory of its own.
        if text == DEFAULT {
            return Ok(Self::default());
        }
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .filter(|inner| inner.parse::<Ipv6Addr>().is_ok())
            .unwrap_or(text);
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        // Digits and dots alone are a mistyped address (127.0.0.300), never a name that a resolver should guess at.
        let name = bare.len() <= LONGEST_NAME
            && bare.strip_suffix('.').unwrap_or(bare).split('.').all(label)
            && bare.bytes().any(|byte| !byte.is_ascii_digit() && byte != b'.');
        if name || bare.parse::<IpAddr>().is_ok() {
            Ok(Self(Cow::Owned(bare.to_owned())))
        } else {
            Err(HostError(text.to_owned()))
        }
    }
}

impl<'de> Deserialize<'de> for Host {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HostVisitor;

        impl Visitor<'_> for HostVisitor {
            type Value = Host;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host, as text in quotes")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Host, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(HostVisitor)
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        Self(Cow::Owned(address.to_string()))
    }
}

/// Whether two sockets on the same port of these addresses would get in each other's way.
///
/// As in the kernel, `0.0.0.0` and `::` overlap every address. An IPv4-mapped IPv6 address is the IPv4 address.
#[must_use]
pub fn addresses_overlap(a: IpAddr, b: IpAddr) -> bool {
    let (a, b) = (a.to_canonical(), b.to_canonical());
    a == b || a.is_unspecified() || b.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(host: &str) -> Option<Vec<String>> {
        let addresses = host.parse::<Host>().unwrap().literal_addresses()?;
        Some(addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn the_local_host_is_both_loopback_addresses() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1"] {
            assert_eq!(addresses(host).unwrap(), ["127.0.0.1", "::1"], "{host}");
        }
        assert_eq!(Host::default().as_str(), "127.0.0.1");
    }

    #[test]
    fn any_other_literal_is_itself_and_a_name_is_unknown() {
        assert_eq!(addresses("::1").unwrap(), ["::1"]);
        assert_eq!(addresses("[::1]").unwrap(), ["::1"]);
        assert_eq!(addresses("0.0.0.0").unwrap(), ["0.0.0.0"]);
        assert_eq!(addresses("127.0.0.2").unwrap(), ["127.0.0.2"]);
        assert_eq!(addresses("db.local"), None);
    }

    #[test]
    fn what_cannot_be_a_host_is_refused() {
        for wrong in
            ["", "a b", "http://x", "127.0.0.1:80", "127.0.0.300", "1.2.3", "a..b", "[x]", "-\n", &"a".repeat(254)]
        {
            assert!(wrong.parse::<Host>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wildcard_overlaps_everything() {
        let overlap = |a: &str, b: &str| addresses_overlap(a.parse().unwrap(), b.parse().unwrap());
        assert!(overlap("0.0.0.0", "127.0.0.1") && overlap("::1", "0.0.0.0") && overlap("::", "10.0.0.1"));
        assert!(overlap("::ffff:127.0.0.1", "127.0.0.1") && overlap("::1", "::1"));
        assert!(!overlap("127.0.0.1", "::1") && !overlap("127.0.0.1", "127.0.0.2"));
    }
}

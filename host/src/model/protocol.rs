//! TCP, UDP, or both.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The transport protocol of a port. The two have separate ports: TCP 8000 and UDP 8000 do not conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP, RFC 9293.
    #[default]
    Tcp,
    /// UDP, RFC 768.
    Udp,
}

/// Text that names no protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a protocol: use tcp or udp")]
pub struct ProtocolError(String);

/// The protocols that one port is wanted for. With both, it is the same number: DNS, HTTP/3 and many games need that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocols {
    /// TCP alone.
    #[default]
    Tcp,
    /// UDP alone.
    Udp,
    /// TCP and UDP.
    Both,
}

/// Text that is no list of protocols.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProtocolsError {
    /// One of the words names no protocol.
    #[error("`{0}` is not a protocol: use tcp, udp, or tcp,udp for both")]
    Unknown(String),
    /// One protocol stands twice, so another one was probably meant.
    #[error("{0} is given twice: use tcp, udp, or tcp,udp for both")]
    Twice(Protocol),
}

impl Protocols {
    /// The protocols; TCP first.
    #[must_use]
    pub const fn as_slice(self) -> &'static [Protocol] {
        match self {
            Self::Tcp => &[Protocol::Tcp],
            Self::Udp => &[Protocol::Udp],
            Self::Both => &[Protocol::Tcp, Protocol::Udp],
        }
    }

    /// The protocols; TCP first.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        self.as_slice().iter().copied()
    }

    /// The protocol that comes first: TCP if it is among them.
    #[must_use]
    pub const fn first(self) -> Protocol {
        self.as_slice()[0]
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn contains(self, protocol: Protocol) -> bool {
        self.as_slice().contains(&protocol)
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, protocol: Protocol) -> Self {
        if self.contains(protocol) { self } else { Self::Both }
    }
}

impl From<Protocol> for Protocols {
    fn from(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => Self::Tcp,
            Protocol::Udp => Self::Udp,
        }
    }
}

impl FromStr for Protocols {
    type Err = ProtocolsError;

    fn from_str(text: &str) -> Result<Self, ProtocolsError> {
        let mut protocols: Option<Self> = None;
        for word in text.split(',') {
            let word = word.trim();
            let protocol: Protocol = word.parse().map_err(|_| ProtocolsError::Unknown(word.to_owned()))?;
            protocols = Some(match protocols {
                None => protocol.into(),
                Some(known) if known.contains(protocol) => return Err(ProtocolsError::Twice(protocol)),
                Some(known) => known.with(protocol),
            });
        }
        Ok(protocols.unwrap_or_default())
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Both => "tcp,udp",
        })
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

impl FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        match text.to_ascii_lowercase().as_str() {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            _ => Err(ProtocolError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_named_in_any_order_and_case() {
        for (text, protocols) in [
            ("tcp", Protocols::Tcp),
            ("UDP", Protocols::Udp),
            ("tcp,udp", Protocols::Both),
            ("Udp, TCP", Protocols::Both),
        ] {
            assert_eq!(text.parse(), Ok(protocols), "{text}");
            assert_eq!(protocols.to_string().parse(), Ok(protocols), "{text}");
            let each = protocols.iter().fold(Protocols::from(protocols.first()), Protocols::with);
            assert_eq!(each, protocols, "{text}");
        }
    }

    #[test]
    fn what_names_no_protocol_or_one_twice_is_refused() {
        for text in ["", "icmp", "tcp,", "tcp;udp", "tcp,sctp"] {
            assert!(matches!(text.parse::<Protocols>(), Err(ProtocolsError::Unknown(_))), "{text}");
        }
        assert_eq!("udp,tcp,UDP".parse::<Protocols>(), Err(ProtocolsError::Twice(Protocol::Udp)));
    }
}

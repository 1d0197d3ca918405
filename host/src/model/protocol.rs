//! TCP or UDP.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The transport protocol of a port. The two have separate ports: TCP 8000 and UDP 8000 do not conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
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

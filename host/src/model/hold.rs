//! How sockets keep a port, and which process has them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::hexadecimal::from_hexadecimal;
use super::{ProcessId, Protocol};

/// Sockets that keep a reservation's port, and the process that has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hold {
    /// What they keep away.
    pub kind: HoldKind,
    /// The holder. Information where there is a hold file: there the file's lock says whether the holder lives.
    pub holder: ProcessId,
    /// The holder's file; none when the process that the reservation is for has the sockets itself, without a holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<HoldId>,
}

/// Which hold file a holder has, among those of one registry. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HoldId(u64);

/// Text that is no name of a hold file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no hold file's name")]
pub struct HoldIdError(String);

impl HoldId {
    /// The identity with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TryFrom<String> for HoldId {
    type Error = HoldIdError;

    fn try_from(text: String) -> Result<Self, HoldIdError> {
        from_hexadecimal(&text).map(Self).ok_or(HoldIdError(text))
    }
}

impl From<HoldId> for String {
    fn from(id: HoldId) -> Self {
        id.to_string()
    }
}

/// What the sockets of a hold keep away.
///
/// Between *exclusive* and *gated* the kernel sees no difference: they say what is meant to happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldKind {
    /// Every other bind fails, that of the reservation's own server included, until the hold is taken over or released.
    #[default]
    Exclusive,
    /// The same, until the process that has the sockets opens the gate (`SO_REUSEADDR`) for the moment in which a server binds and
    /// listens. The server then runs beside the sockets, which keep the port when it goes away.
    Gated,
    /// The gate is always open: the kernel gives the port to no `bind(0)` and no outgoing connection, and a bind without
    /// `SO_REUSEADDR` fails. A bind with it succeeds, from any process.
    Soft,
}

/// Text that names no kind of hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a kind of hold: use exclusive, gated or soft")]
pub struct HoldKindError(String);

impl HoldKind {
    /// Its name, as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Gated => "gated",
            Self::Soft => "soft",
        }
    }
}

impl HoldKind {
    /// What comes closest to it over the protocol: UDP has no gate, so there every hold is exclusive.
    #[must_use]
    pub fn over(self, protocol: Protocol) -> Self {
        match protocol {
            Protocol::Tcp => self,
            Protocol::Udp => Self::Exclusive,
        }
    }
}

impl fmt::Display for HoldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HoldKind {
    type Err = HoldKindError;

    fn from_str(text: &str) -> Result<Self, HoldKindError> {
        [Self::Exclusive, Self::Gated, Self::Soft]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| HoldKindError(text.to_owned()))
    }
}

//! The ways in which a server gets its port.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::model::Guarantee;

/// How a server gets its port, from the tightest to the loosest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// The server binds as always, and finds our socket in the place of its own (Linux). The port is never free, and clients wait in its
    /// queue while the server starts again. Any server can have it that way.
    Adopt,
    /// The server is passed our listening sockets, as systemd does (sd_listen_fds(3)). The same guarantee, for servers that know how
    /// to take them.
    Fds,
    /// The server binds and listens beside sockets that keep everyone else out, also while it is away (Linux). Early clients are
    /// refused.
    Gated,
    /// The port is let go just before the program runs. The fastest program gets it.
    Release,
}

/// Text that names no method.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a handover method: use auto, adopt, fds, gated or release")]
pub struct MethodError(String);

impl Method {
    /// All of them, from the tightest to the loosest.
    pub const ALL: [Self; 4] = [Self::Adopt, Self::Fds, Self::Gated, Self::Release];

    /// Its name, as users write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Fds => "fds",
            Self::Gated => "gated",
            Self::Release => "release",
        }
    }

    /// How far it keeps others from the port, at its best.
    #[must_use]
    pub const fn guarantee(self) -> Guarantee {
        match self {
            Self::Adopt | Self::Fds => Guarantee::Exclusive,
            Self::Gated => Guarantee::Gated,
            Self::Release => Guarantee::Advisory,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        Self::ALL.into_iter().find(|method| method.as_str() == text).ok_or_else(|| MethodError(text.to_owned()))
    }
}

//! Why a port is not a good one.

use thiserror::Error;

use super::gaps::{LAST_PRIVILEGED, gaps, unassigned};
use super::{BORDER, LEAST_LENGTH, browsers};
use crate::model::{Port, PortRange, Protocol};

/// What speaks against a port. It can be reserved all the same by whoever asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// Below 1024.
    #[error("ports below 1024 are for root")]
    Privileged,
    /// In the registry of IANA.
    #[error("IANA has assigned it to a service")]
    Assigned,
    /// On the list of the Fetch standard.
    #[error("browsers refuse to connect to it")]
    Blocked,
    /// In the kernel's ephemeral range.
    #[error("it lies in {0}, from which the kernel picks ports for outgoing connections")]
    Ephemeral(PortRange),
    /// The gap between claimed ports is a small one.
    #[error("the gap around it, {0}, is too small to keep a distance to the claimed ports beside it")]
    SmallGap(PortRange),
    /// Too close to a claimed port.
    #[error("it is next to a claimed port: the gap is {0}")]
    Edge(PortRange),
}

/// What speaks against handing out the port, if anything does: the most telling reason.
#[must_use]
pub fn why_not(protocol: Protocol, port: Port, ephemeral: Option<PortRange>) -> Option<Reason> {
    if port.get() <= LAST_PRIVILEGED {
        return Some(Reason::Privileged);
    }
    if browsers::blocked().any(|blocked| blocked == port) {
        return Some(Reason::Blocked);
    }
    if !unassigned(protocol).any(|range| range.contains(port)) {
        return Some(Reason::Assigned);
    }
    if let Some(range) = ephemeral.filter(|range| range.contains(port)) {
        return Some(Reason::Ephemeral(range));
    }
    let gap = gaps(protocol, ephemeral).into_iter().find(|gap| gap.contains(port))?;
    let edge = (port.get() - gap.first().get()).min(gap.last().get() - port.get());
    if gap.len() <= LEAST_LENGTH + 2 * usize::from(BORDER) {
        Some(Reason::SmallGap(gap))
    } else {
        (edge < BORDER).then_some(Reason::Edge(gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told() {
        let ephemeral: PortRange = "32768-60999".parse().unwrap();
        let why = |port: &str| why_not(Protocol::Tcp, port.parse().unwrap(), Some(ephemeral));
        assert_eq!(why("4"), Some(Reason::Privileged), "even where IANA has a gap");
        assert_eq!(why("8080"), Some(Reason::Assigned));
        for blocked in ["6000", "6665", "6669", "10080"] {
            assert_eq!(why(blocked), Some(Reason::Blocked), "{blocked}");
        }
        assert_eq!(
            why("40100").unwrap().to_string(),
            "it lies in 32768-60999, from which the kernel picks ports for outgoing connections"
        );
        assert_eq!(why("1491"), Some(Reason::SmallGap("1491-1491".parse().unwrap())));
        let gap = "61000-65535".parse().unwrap();
        assert_eq!([why("61002"), why("65533")], [Some(Reason::Edge(gap)); 2]);
        assert_eq!([why("61003"), why("65532")], [None; 2]);
    }
}

//! Why a port is not a good one.

use thiserror::Error;

use super::gaps::{LAST_PRIVILEGED, gaps};
use super::{BORDER, KernelPorts, LEAST_LENGTH, browsers, service};
use crate::model::{Port, PortRange, Protocol};
use crate::os;

/// What speaks against a port. A request for this very port can reserve it all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Reason {
    /// Below 1024.
    #[error("ports below 1024 are for root")]
    Privileged,
    /// On the list of the Fetch standard.
    #[error("browsers refuse to connect to it")]
    Blocked,
    /// In the registry of IANA.
    #[error("IANA has assigned it to a service: {0}")]
    Assigned(&'static str),
    /// Set aside on this machine.
    #[error("{0} is set aside on this machine ({by})", by = os::SET_ASIDE_BY)]
    SetAside(PortRange),
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
pub fn why_not(protocol: Protocol, port: Port, kernel: &KernelPorts) -> Option<Reason> {
    reasons(protocol, port, kernel).first().copied()
}

/// All that speaks against handing out the port, the most telling reason first. Nothing speaks against a good one.
#[must_use]
pub fn reasons(protocol: Protocol, port: Port, kernel: &KernelPorts) -> Vec<Reason> {
    let claims = [
        (port.get() <= LAST_PRIVILEGED).then_some(Reason::Privileged),
        browsers::blocked().any(|blocked| blocked == port).then_some(Reason::Blocked),
        service(protocol, port).map(Reason::Assigned),
        kernel.set_aside(port).map(Reason::SetAside),
        kernel.ephemeral.filter(|range| range.contains(port)).map(Reason::Ephemeral),
    ];
    let claims: Vec<_> = claims.into_iter().flatten().collect();
    if claims.is_empty() { beside_others(protocol, port, kernel).into_iter().collect() } else { claims }
}

/// What speaks against a port that nothing else has a claim to.
fn beside_others(protocol: Protocol, port: Port, kernel: &KernelPorts) -> Option<Reason> {
    let gap = gaps(protocol, kernel).into_iter().find(|gap| gap.contains(port))?;
    let edge = (port.get() - gap.first().get()).min(gap.last().get() - port.get());
    if gap.len() <= LEAST_LENGTH + 2 * usize::from(BORDER) {
        return Some(Reason::SmallGap(gap));
    }
    (edge < BORDER).then_some(Reason::Edge(gap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_told() {
        let kernel = KernelPorts::from(Some("32768-60999".parse().unwrap()));
        let why = |port: &str| why_not(Protocol::Tcp, port.parse().unwrap(), &kernel);
        assert_eq!(why("4"), Some(Reason::Privileged), "even where IANA has a gap");
        assert_eq!(why("8080"), Some(Reason::Assigned("http-alt")));
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

    #[test]
    fn every_reason_is_told_not_only_the_first() {
        let set_aside = vec!["40000-40100".parse().unwrap(), "8080-8080".parse().unwrap()];
        let kernel = KernelPorts { set_aside, ..KernelPorts::from(Some("32768-60999".parse().unwrap())) };
        let all = |port: &str| reasons(Protocol::Tcp, port.parse().unwrap(), &kernel);
        assert_eq!(all("8080").len(), 2, "{:?}", all("8080"));
        assert_eq!(all("6000"), [Reason::Blocked, Reason::Assigned("x11")]);
        assert!(matches!(all("40050")[..], [Reason::SetAside(_), Reason::Ephemeral(_)]));
        assert_eq!(all("29500"), []);
    }
}

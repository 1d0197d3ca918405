//! Which addresses a socket answers for, as the kernel sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The addresses that a socket bound to some address answers for, of each family.
///
/// `0.0.0.0` is all of IPv4, `::` all of IPv6 and, unless the socket leaves them alone (`IPV6_V6ONLY`, ipv6(7)), all of IPv4 too. An
/// IPv4-mapped address is the IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    v4: Part<Ipv4Addr>,
    v6: Part<Ipv6Addr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<A> {
    Nothing,
    One(A),
    All,
}

impl Reach {
    /// What a socket bound to the address answers for.
    pub(crate) fn new(address: SocketAddr, only_v6: bool) -> Self {
        match address.ip() {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) if only_v6 => Self { v4: Part::Nothing, v6: Part::All },
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Self { v4: Part::All, v6: Part::All },
            address => match address.to_canonical() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Self { v4: Part::All, v6: Part::Nothing },
                IpAddr::V4(address) => Self { v4: Part::One(address), v6: Part::Nothing },
                IpAddr::V6(address) => Self { v4: Part::Nothing, v6: Part::One(address) },
            },
        }
    }

    /// Whether there is an address that both answer for: the kernel lets only one of two such sockets listen.
    pub(crate) fn overlaps(self, other: Self) -> bool {
        self.v4.overlaps(other.v4) || self.v6.overlaps(other.v6)
    }

    /// Whether this one answers for everything that the other does: bound, it keeps the port without the other's help.
    pub(crate) fn covers(self, other: Self) -> bool {
        self.v4.covers(other.v4) && self.v6.covers(other.v6)
    }
}

impl<A: PartialEq> Part<A> {
    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Nothing, _) | (_, Self::Nothing) => false,
            (Self::All, _) | (_, Self::All) => true,
            (Self::One(mine), Self::One(theirs)) => mine == theirs,
        }
    }

    fn covers(self, other: Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::Nothing) => true,
            (Self::One(mine), Self::One(theirs)) => mine == theirs,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(address: &str, only_v6: bool) -> Reach {
        Reach::new(SocketAddr::new(address.parse().unwrap(), 80), only_v6)
    }

    #[test]
    fn a_dual_stack_wildcard_answers_for_everything() {
        let all = reach("::", false);
        for other in ["127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1"] {
            assert!(all.covers(reach(other, false)) && reach(other, true).overlaps(all), "{other}");
        }
        assert!(!reach("0.0.0.0", false).covers(all));
    }

    #[test]
    fn families_that_are_kept_apart_do_not_meet() {
        let (v4, v6) = (reach("0.0.0.0", false), reach("::", true));
        assert!(!v4.overlaps(v6));
        assert!(v4.covers(reach("127.0.0.1", false)) && !v4.overlaps(reach("::1", false)));
        assert!(v6.covers(reach("::1", false)) && !v6.overlaps(reach("127.0.0.1", false)));
    }

    #[test]
    fn one_address_answers_for_itself() {
        let one = reach("127.0.0.1", false);
        assert!(one.covers(reach("::ffff:127.0.0.1", false)) && !one.overlaps(reach("127.0.0.2", false)));
        assert!(one.overlaps(reach("0.0.0.0", false)) && !one.covers(reach("0.0.0.0", false)));
    }
}

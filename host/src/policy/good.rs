//! The good ports, in the order in which to try them.

use std::collections::BTreeSet;

use super::KernelPorts;
use super::gaps::good_gaps;
use crate::model::{Port, PortRange, Protocol};

/// Every good port once.
#[derive(Debug, Clone)]
pub struct GoodPorts {
    /// Larger gaps first.
    ranges: Vec<PortRange>,
    /// Which range the next port is in, and how far from its first port.
    next: (usize, usize),
    /// How many ports are still to come.
    left: usize,
    yielded: bool,
}

/// The good ports of a protocol: those of larger gaps first. The random number `start` chooses where among the larger half of
/// them to begin, so that users who do not see each other's reservations rarely try the same ones; those before it come
/// last.
#[must_use]
pub fn good_ports(protocol: Protocol, kernel: &KernelPorts, start: u64) -> GoodPorts {
    let strict = good_gaps(protocol, kernel);
    let yielded = strict.is_empty();
    // Ports that are set aside belong to something; that the kernel may take a port for a connection is only a risk.
    let ranges = if yielded { good_gaps(protocol, &kernel.without_ephemeral()) } else { strict };
    let left: usize = ranges.iter().map(|range| range.len()).sum();
    let half = left.div_ceil(2).max(1) as u64;
    let next = locate(&ranges, usize::try_from(start % half).unwrap_or(0));
    GoodPorts { ranges, next, left, yielded }
}

/// All good ports.
#[must_use]
pub fn available_good_ports(protocol: Protocol, kernel: &KernelPorts) -> BTreeSet<Port> {
    good_ports(protocol, kernel, 0).collect()
}

/// The place of the port with this index when the ranges are written one after the other.
fn locate(ranges: &[PortRange], mut index: usize) -> (usize, usize) {
    for (number, range) in ranges.iter().enumerate() {
        if index < range.len() {
            return (number, index);
        }
        index -= range.len();
    }
    (0, 0)
}

impl GoodPorts {
    /// Whether the kernel's ephemeral range would have left no good port, so that it was not kept clear. Warn users of it.
    #[must_use]
    pub fn ephemeral_range_yielded(&self) -> bool {
        self.yielded
    }
}

impl Iterator for GoodPorts {
    type Item = Port;

    fn next(&mut self) -> Option<Port> {
        self.left = self.left.checked_sub(1)?;
        let (number, offset) = self.next;
        let range = self.ranges[number];
        self.next = match offset + 1 {
            inside if inside < range.len() => (number, inside),
            _ => ((number + 1) % self.ranges.len(), 0),
        };
        u16::try_from(offset).ok().and_then(|offset| Port::new(range.first().get() + offset))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for GoodPorts {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::why_not;

    fn range(text: &str) -> KernelPorts {
        KernelPorts::from(Some(text.parse().unwrap()))
    }

    #[test]
    fn every_port_comes_once_from_wherever_it_starts() {
        let all: BTreeSet<_> = good_ports(Protocol::Tcp, &range("32768-60999"), 0).collect();
        for start in [1, 4_999, 1 << 40, u64::MAX] {
            let ports = good_ports(Protocol::Tcp, &range("32768-60999"), start);
            let length = ports.len();
            let ports: Vec<_> = ports.collect();
            assert_eq!(ports.len(), length);
            assert_eq!(ports.into_iter().collect::<BTreeSet<_>>(), all);
        }
    }

    #[test]
    fn the_start_decides_where_it_begins() {
        let starts: BTreeSet<_> =
            (0..100).filter_map(|start| good_ports(Protocol::Tcp, &KernelPorts::default(), start).next()).collect();
        assert_eq!(starts.len(), 100);
    }

    #[test]
    fn a_good_port_is_one_against_which_nothing_speaks() {
        let set_aside = vec!["29200-29300".parse().unwrap(), "40000-40100".parse().unwrap()];
        let admin = KernelPorts { set_aside, ..range("32768-60999") };
        for kernel in [range("32768-60999"), range("49152-65535"), KernelPorts::default(), admin] {
            let good = available_good_ports(Protocol::Udp, &kernel);
            assert!(good.len() > 5_000);
            // A prime step, and some crowded hundreds whole: all 65,535 would take a debug build too long.
            for port in (1..=65_535)
                .step_by(211)
                .chain(4_300..4_600)
                .chain(60_950..61_050)
                .chain(29_190..29_310)
                .filter_map(Port::new)
            {
                let why = why_not(Protocol::Udp, port, &kernel);
                assert_eq!(good.contains(&port), why.is_none(), "{port} {why:?}");
            }
        }
    }

    #[test]
    fn larger_gaps_come_first() {
        let ports: Vec<_> = good_ports(Protocol::Tcp, &range("32768-65535"), 0).collect();
        // The largest gap below 32768 is IANA's 29170-29998; the first and last three ports are its border.
        assert!((29_169..=29_175).contains(&ports[0].get()), "{}", ports[0]);
        let ranges = good_gaps(Protocol::Tcp, &range("32768-65535"));
        assert!(ranges.is_sorted_by(|a, b| a.len() >= b.len()));
        assert_eq!(ports[ports.len() - 1], ranges[ranges.len() - 1].last());
    }

    #[test]
    fn the_ephemeral_range_yields_when_it_leaves_nothing() {
        let normal = good_ports(Protocol::Tcp, &range("32768-60999"), 0);
        assert!(!normal.ephemeral_range_yielded() && normal.len() > 10_000);
        let greedy = good_ports(Protocol::Tcp, &range("1024-65535"), 0);
        assert!(greedy.ephemeral_range_yielded() && greedy.len() > 10_000);
    }
    #[test]
    fn what_is_set_aside_never_yields() {
        let set_aside = vec!["29000-31999".parse().unwrap()];
        let kernel = KernelPorts { set_aside, ..range("1024-65535") };
        let good = good_ports(Protocol::Tcp, &kernel, 0);
        assert!(good.ephemeral_range_yielded());
        assert!(good.into_iter().all(|port| kernel.set_aside(port).is_none()));
    }
}

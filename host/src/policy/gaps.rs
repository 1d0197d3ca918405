//! The gaps between ports that are claimed.

use super::iana::{UNASSIGNED_TCP, UNASSIGNED_UDP};
use super::{BORDER, KernelPorts, LEAST_LENGTH};
use crate::model::{Port, PortRange, Protocol};

/// The last port that only root may bind (ip(7), the default of `ip_unprivileged_port_start` less one).
pub(super) const LAST_PRIVILEGED: u16 = 1023;

/// IANA's unassigned ranges, ascending.
pub(super) fn unassigned(protocol: Protocol) -> impl Iterator<Item = PortRange> {
    let table: &[(u16, u16)] = match protocol {
        Protocol::Tcp => &UNASSIGNED_TCP,
        Protocol::Udp => &UNASSIGNED_UDP,
    };
    table.iter().filter_map(|&(first, last)| range(first, last))
}

/// The ranges of ports that are unclaimed, ascending. (What browsers block is all assigned, as a test makes sure.)
pub(super) fn gaps(protocol: Protocol, kernel: &KernelPorts) -> Vec<PortRange> {
    let claimed = range(1, LAST_PRIVILEGED).into_iter().chain(kernel.ranges());
    let everything = unassigned(protocol).collect();
    claimed.fold(everything, |gaps: Vec<_>, claimed| gaps.into_iter().flat_map(|gap| without(gap, claimed)).collect())
}

/// What is left of a range on either side of a part of it.
fn without(whole: PortRange, part: PortRange) -> impl Iterator<Item = PortRange> {
    let below = range(whole.first().get(), whole.last().get().min(part.first().get() - 1));
    let above = range(whole.first().get().max(part.last().get().saturating_add(1)), whole.last().get());
    // Beside the last port there is none above.
    let above = above.filter(|_| part.last().get() < u16::MAX);
    below.into_iter().chain(above)
}

/// The range; none when there is no port in it.
fn range(first: u16, last: u16) -> Option<PortRange> {
    PortRange::new(Port::new(first)?, Port::new(last)?).ok()
}

/// The ranges that hold more than `least` ports after `border` ports have been cut off at each end; larger ones first, equal
/// ones ascending.
#[must_use]
pub fn good_port_ranges(ranges: &[PortRange], least: usize, border: u16) -> Vec<PortRange> {
    let mut good: Vec<_> = ranges
        .iter()
        .filter_map(|&gap| range(gap.first().get().checked_add(border)?, gap.last().get().checked_sub(border)?))
        .filter(|gap| gap.len() > least)
        .collect();
    good.sort_by_key(|gap| (std::cmp::Reverse(gap.len()), gap.first()));
    good
}

/// The good ranges under our own rules.
pub(super) fn good_gaps(protocol: Protocol, kernel: &KernelPorts) -> Vec<PortRange> {
    good_port_ranges(&gaps(protocol, kernel), LEAST_LENGTH, BORDER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(pairs: &[(u16, u16)]) -> Vec<PortRange> {
        pairs.iter().map(|&(first, last)| range(first, last).unwrap()).collect()
    }

    #[test]
    fn the_published_test_of_port_for_passes() {
        let gaps = ranges(&[(10, 15), (100, 200), (220, 245), (300, 330), (440, 495)]);
        assert_eq!(good_port_ranges(&gaps, 20, 3), ranges(&[(103, 197), (443, 492), (303, 327)]));
    }

    #[test]
    fn borders_beyond_the_ends_of_all_ports_leave_nothing() {
        assert_eq!(good_port_ranges(&ranges(&[(1, 2), (65534, 65535)]), 0, 3), []);
        assert_eq!(good_port_ranges(&ranges(&[(1, 65535)]), 0, u16::MAX), []);
        assert_eq!(good_port_ranges(&ranges(&[(7, 8)]), 0, 0), ranges(&[(7, 8)]));
    }

    #[test]
    fn a_part_is_taken_out_of_a_range() {
        let left = |whole: (u16, u16), part: (u16, u16)| {
            without(range(whole.0, whole.1).unwrap(), range(part.0, part.1).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(left((10, 20), (12, 14)), ranges(&[(10, 11), (15, 20)]));
        assert_eq!(left((10, 20), (1, 14)), ranges(&[(15, 20)]));
        assert_eq!(left((10, 20), (20, 65535)), ranges(&[(10, 19)]));
        assert_eq!(left((10, 65535), (65535, 65535)), ranges(&[(10, 65534)]));
        assert_eq!(left((10, 20), (21, 30)), ranges(&[(10, 20)]));
        assert_eq!(left((10, 20), (1, 9)), ranges(&[(10, 20)]));
        assert_eq!(left((10, 20), (1, 65535)), []);
    }

    #[test]
    fn the_table_is_ascending_and_has_gaps_between_its_ranges() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let table: Vec<_> = unassigned(protocol).collect();
            assert!(table.len() > 500);
            assert!(table.is_sorted_by(|a, b| a.last().get() + 1 < b.first().get()), "{protocol}");
        }
        assert_eq!(
            (UNASSIGNED_TCP.len(), UNASSIGNED_UDP.len()),
            (unassigned(Protocol::Tcp).count(), unassigned(Protocol::Udp).count())
        );
    }

    #[test]
    fn what_browsers_block_lies_in_no_gap() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            for blocked in super::super::browsers::blocked() {
                assert!(
                    !unassigned(protocol).any(|range| range.contains(blocked)),
                    "{protocol} {blocked}: take it out of the gaps"
                );
            }
        }
    }

    #[test]
    fn the_table_knows_what_is_assigned() {
        let unassigned = |number| unassigned(Protocol::Tcp).any(|range| range.contains(Port::new(number).unwrap()));
        for assigned in [22, 80, 443, 3306, 5432, 6000, 6063, 6379, 8080, 9418] {
            assert!(!unassigned(assigned), "{assigned}");
        }
        // The large gaps that can be read from the registry with the naked eye.
        for free in [29_170, 29_998, 26_500, 49_152, 65_535] {
            assert!(unassigned(free), "{free}");
        }
    }
}

//! The networks, and what is true in them.

use std::collections::BTreeSet;

use portkeeper_tests::{Kind, Lan};

use crate::found::Found;

/// A case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    A,
    B,
    C,
    Mixed,
}

const FIRST: u16 = 8000;
const LAST: u16 = 8050;

impl Network {
    pub(crate) const ALL: [Self; 4] = [Self::A, Self::B, Self::C, Self::Mixed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::Mixed => "mixed",
        }
    }

    /// What is scanned, and the ports.
    pub(crate) fn target(self) -> (&'static str, &'static str) {
        match self {
            Self::C => ("10.77.0.1", "1-65535"),
            _ => ("10.77.0.0/24", "8000-8050"),
        }
    }

    /// The hosts: how many of which kind.
    fn kinds(self) -> Vec<(Kind, usize)> {
        match self {
            Self::A => vec![(Kind::Normal, 250)],
            Self::B => vec![(Kind::Normal, 10)],
            Self::C => vec![(Kind::Normal, 1)],
            Self::Mixed => vec![
                (Kind::Normal, 70),
                (Kind::NoIcmp, 20),
                (Kind::RstLimited, 10),
                (Kind::Lossy, 10),
                (Kind::Filtered, 15),
                (Kind::Stealth, 15),
                (Kind::RejectsPort, 15),
                (Kind::RejectsHost, 15),
                (Kind::Silent, 20),
            ],
        }
    }

    /// How many hosts are behind a link that takes 100 ms there and back.
    fn slow(self) -> usize {
        if self == Self::Mixed { 10 } else { 0 }
    }

    /// Fills the network, and tells what is true of it.
    pub(crate) fn make(self, lan: &mut Lan<'_>) -> Found {
        let mut truth = Found::default();
        let mut numbers = 1..=252_u8;
        let mut crowd = Vec::new();
        for (kind, count) in self.kinds() {
            for number in numbers.by_ref().take(count) {
                let open = if kind == Kind::Silent { Vec::new() } else { servers(number) };
                let says_closed =
                    matches!(kind, Kind::Normal | Kind::NoIcmp | Kind::RstLimited | Kind::Lossy).then_some(self);
                note(&mut truth, number, &open, says_closed);
                crowd.push((number, kind, open));
            }
        }
        lan.crowd(&crowd);
        let slow: Vec<_> = numbers.take(self.slow()).map(|number| (number, servers(number))).collect();
        if !slow.is_empty() {
            lan.slow_crowd(&slow, 50);
            slow.iter().for_each(|(number, open)| note(&mut truth, *number, open, Some(self)));
        }
        truth
    }

    fn ports(self) -> std::ops::RangeInclusive<u16> {
        if self == Self::C { 1..=u16::MAX } else { FIRST..=LAST }
    }
}

/// Three servers on each host.
fn servers(number: u8) -> Vec<u16> {
    let number = u16::from(number);
    let ports = [number * 7, number * 13 + 1, number * 29 + 2].map(|number| FIRST + number % 51);
    BTreeSet::from(ports).into_iter().collect()
}

fn note(truth: &mut Found, number: u8, open: &[u16], says_closed: Option<Network>) {
    let address = format!("10.77.0.{number}");
    truth.hosts.insert(address.clone());
    truth.open.extend(open.iter().map(|port| (address.clone(), *port)));
    if let Some(network) = says_closed {
        let closed = network.ports().filter(|port| !open.contains(port));
        truth.closed.extend(closed.map(|port| (address.clone(), port)));
    }
}

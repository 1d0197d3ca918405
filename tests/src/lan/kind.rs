//! What hosts do with what they are asked, as rules of nftables.

use std::fmt::Write as _;

/// A kind of host, by how it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Echo, and RST for closed ports.
    Normal,
    /// RST for closed ports, but no echo.
    NoIcmp,
    /// Echo; attempts at closed ports are dropped.
    Filtered,
    /// No echo; attempts at closed ports are dropped.
    Stealth,
    /// Everything but ARP and Neighbor Discovery is dropped.
    Silent,
    /// Closed ports are rejected by ICMP: port unreachable.
    RejectsPort,
    /// Closed ports are rejected by ICMP: host prohibited.
    RejectsHost,
    /// RSTs are limited to bursts of ten and 100 a second.
    RstLimited,
    /// One packet in twenty is lost.
    Lossy,
}

const ECHO: [&str; 2] = ["icmp type echo-request drop", "icmpv6 type echo-request drop"];
const SYN: &str = "tcp flags & (syn|ack) == syn";

impl Kind {
    /// The rules for one host, for nft(8).
    pub(super) fn rules(self, number: u8, open: &[u16]) -> String {
        let to = [format!("ip daddr 10.77.0.{number}"), format!("ip6 daddr fd77::{number:x}")];
        let mut rules = String::new();
        for (version, to) in to.iter().enumerate() {
            for rule in self.input(version, open) {
                let _ = writeln!(rules, "add rule inet lan input {to} {rule}");
            }
        }
        if self == Self::RstLimited {
            for from in to.map(|to| to.replace("daddr", "saddr")) {
                let limit = "tcp flags & rst == rst limit rate over 100/second burst 10 packets drop";
                let _ = writeln!(rules, "add rule inet lan output {from} {limit}");
            }
        }
        rules
    }

    fn input(self, version: usize, open: &[u16]) -> Vec<String> {
        let echo = || ECHO[version].to_owned();
        let ports = open.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        let servers = (!open.is_empty()).then(|| format!("tcp dport {{ {ports} }} accept"));
        let closed = |what: &str| servers.clone().into_iter().chain([format!("{SYN} {what}")]).collect::<Vec<_>>();
        let icmp = ["icmp", "icmpv6"][version];
        match self {
            Self::Normal | Self::RstLimited => Vec::new(),
            Self::NoIcmp => vec![echo()],
            Self::Filtered => closed("drop"),
            Self::Stealth => [echo(), "meta l4proto udp drop".to_owned()].into_iter().chain(closed("drop")).collect(),
            Self::Silent => vec![echo(), "meta l4proto { tcp, udp } drop".to_owned()],
            Self::RejectsPort => closed(&format!("reject with {icmp} type port-unreachable")),
            Self::RejectsHost => {
                let code = ["host-prohibited", "admin-prohibited"][version];
                closed(&format!("reject with {icmp} type {code}"))
            }
            Self::Lossy => vec!["meta l4proto tcp numgen random mod 100 < 5 drop".to_owned()],
        }
    }
}

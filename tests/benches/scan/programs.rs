//! The scanners that are compared.

use crate::found::Found;
use crate::networks::Network;

/// A scanner, and how it is asked.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// What has to be installed; none for portkeeper.
    pub(crate) needs: Option<&'static str>,
    /// The arguments, for a target and ports.
    pub(crate) arguments: fn(&str, &str) -> String,
    pub(crate) read: fn(&str) -> Found,
}

pub(crate) const PORTKEEPER: &str = "portkeeper";
pub(crate) const FAST: &str = "portkeeper --fast";
pub(crate) const NMAP_T4: &str = "nmap -sT -T4";
pub(crate) const NMAP_RATE: &str = "nmap -T5 min-rate";
pub(crate) const NMAP_SYN: &str = "nmap -sS -T4";
pub(crate) const RUSTSCAN: &str = "RustScan";

pub(crate) const PROGRAMS: [Program; 6] = [
    Program { name: PORTKEEPER, needs: None, arguments: |to, ports| ours(to, ports, ""), read: Found::from_portkeeper },
    Program { name: FAST, needs: None, arguments: |to, ports| ours(to, ports, "--fast"), read: Found::from_portkeeper },
    Program {
        name: NMAP_T4,
        needs: Some("nmap"),
        arguments: |to, ports| format!("-n -sT -T4 -p{ports} -oG - {to}"),
        read: Found::from_nmap,
    },
    Program {
        name: NMAP_RATE,
        needs: Some("nmap"),
        arguments: |to, ports| format!("-n -sT -T5 --min-rate 5000 -p{ports} -oG - {to}"),
        read: Found::from_nmap,
    },
    Program {
        name: NMAP_SYN,
        needs: Some("nmap"),
        arguments: |to, ports| format!("-n -sS -T4 -p{ports} -oG - {to}"),
        read: Found::from_nmap,
    },
    Program {
        name: RUSTSCAN,
        needs: Some("rustscan"),
        arguments: |to, ports| format!("-a {to} -r {ports} -b 4500 -t 500 --ulimit 5000 -g --no-config"),
        read: Found::from_rustscan,
    },
];

fn ours(to: &str, ports: &str, pace: &str) -> String {
    let option = if to.contains('/') { "--cidr" } else { "--host" };
    format!("scan {option} {to} --range {ports} --json {pace}")
}

/// The most that portkeeper may take, as a part of what another program takes: program, network, other program, part.
pub(crate) const BUDGETS: [(&str, Network, &str, f64); 13] = [
    (PORTKEEPER, Network::A, NMAP_T4, 0.75),
    (FAST, Network::A, NMAP_RATE, 0.6),
    (FAST, Network::A, RUSTSCAN, 0.3),
    (PORTKEEPER, Network::B, NMAP_T4, 0.75),
    (FAST, Network::B, NMAP_T4, 0.2),
    (FAST, Network::B, RUSTSCAN, 0.15),
    (PORTKEEPER, Network::C, NMAP_T4, 0.75),
    (PORTKEEPER, Network::C, RUSTSCAN, 0.35),
    (PORTKEEPER, Network::Mixed, NMAP_RATE, 0.6),
    (FAST, Network::Mixed, NMAP_RATE, 0.3),
    (PORTKEEPER, Network::Mixed, RUSTSCAN, 1.5),
    (FAST, Network::C, NMAP_T4, 0.75),
    (FAST, Network::C, RUSTSCAN, 0.35),
];

/// What would be better still, against a scan that only root may do.
pub(crate) const STRETCH: [(&str, Network, &str, f64); 2] =
    [(PORTKEEPER, Network::C, NMAP_T4, 0.4), (PORTKEEPER, Network::C, NMAP_SYN, 0.65)];

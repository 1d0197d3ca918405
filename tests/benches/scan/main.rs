//! How fast a scan is, and how right: networks that the benchmark makes, scanned by portkeeper and by other scanners in turn.
//!
//! - `a`: 250 hosts, 51 ports each
//! - `b`: 10 hosts among 254 addresses, 51 ports each
//! - `c`: one host, all 65,535 ports
//! - `mixed`: 200 hosts of every kind, 51 ports each
//!
//! `cargo bench --profile dev -p portkeeper-tests --bench scan` measures everything, `... -- a c` some of it. It compares with nmap (the Debian
//! package) and RustScan (`cargo install rustscan`), as far as they are there. A timing over its budget is marked and never fails the
//! run, because it depends on the machine; a port that is called closed and is not does.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's answer is what it prints")]

mod found;
mod measure;
mod networks;
mod programs;
mod report;

use measure::measure;
use networks::Network;
use programs::PROGRAMS;
use report::Report;

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some(unknown) = words.iter().find(|word| Network::ALL.iter().all(|network| network.name() != *word)) {
        let names = Network::ALL.map(Network::name).join(", ");
        eprintln!("error: there is no case `{unknown}`; the cases are {names}");
        std::process::exit(2);
    }
    let mut report = Report::default();
    for network in Network::ALL {
        if words.is_empty() || words.iter().any(|word| word == network.name()) {
            eprintln!("measuring: {}", network.name());
            measure(network, &PROGRAMS, &mut report);
        }
    }
    print!("{report}");
    assert_eq!(report.false_closed(), 0, "a port was called closed that is not");
}

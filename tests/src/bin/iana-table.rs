//! Writes `host/src/policy/iana.rs` and `services.txt` beside it from IANA's registry of service names and ports:
//!
//! ```sh
//! cargo run -p portkeeper-tests --bin iana-table -- service-names-port-numbers.csv 2025-11-14 > host/src/policy/iana.rs
//! cargo run -p portkeeper-tests --bin iana-table -- service-names-port-numbers.csv services > host/src/policy/services.txt
//! ```
//!
//! The CSV is <https://www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers.csv>, reduced to its columns
//! port, transport, service and description. The date is that of the registry's last update.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::ops::RangeInclusive;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(what)) = (arguments.next(), arguments.next()) else {
        return Err("usage: iana-table CSV DATE, or iana-table CSV services".into());
    };
    let records = records(&std::fs::read_to_string(path)?)?;
    let text = if what == "services" { services(&records) } else { render(&records, &what) };
    stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// An assigned or reserved range of ports.
struct Record {
    ports: RangeInclusive<u16>,
    transport: String,
    /// Empty where IANA keeps the ports for itself.
    service: String,
}

/// The records that take their ports out of use: whatever is not plainly unassigned, "Reserved" included.
fn records(csv: &str) -> Result<Vec<Record>, Box<dyn Error>> {
    let mut records = Vec::new();
    for line in csv.lines().skip(1) {
        let [ports, transport, service, description] = fields(line)?;
        let unassigned = service.is_empty() && description.to_lowercase().starts_with("unassigned");
        // Some names have no port.
        if !unassigned && !ports.is_empty() {
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            records.push(Record {
                ports: first.parse()?..=last.parse()?,
                transport: transport.to_owned(),
                service: service.to_owned(),
            });
        }
    }
    Ok(records)
}

/// The first three columns never hold a comma, so the quoting of the fourth does not matter.
fn fields(line: &str) -> Result<[&str; 4], String> {
    let mut fields = line.splitn(4, ',');
    let mut next = || fields.next().ok_or_else(|| format!("not four columns: {line}"));
    Ok([next()?, next()?, next()?, next()?.trim_start_matches('"')])
}

/// The ranges of ports, from 1 up, that no record of the transport covers. A record for `any` counts for every one.
fn unassigned(records: &[Record], transport: &str) -> Vec<(u16, u16)> {
    let mut assigned = vec![false; 1 << 16];
    assigned[0] = true;
    for record in records.iter().filter(|record| record.transport == transport || record.transport == "any") {
        record.ports.clone().for_each(|port| assigned[usize::from(port)] = true);
    }
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for port in (0..=u16::MAX).filter(|&port| !assigned[usize::from(port)]) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == port => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    ranges
}

/// A line `PORTS TRANSPORTS SERVICE` for each range and service. Of several services of a port and a transport the first counts.
fn services(records: &[Record]) -> String {
    let mut first: BTreeMap<(u16, u16), Vec<(&str, Vec<&str>)>> = BTreeMap::new();
    for record in records.iter().filter(|record| matches!(record.transport.as_str(), "tcp" | "udp" | "any")) {
        let service = if record.service.is_empty() { "Reserved" } else { &record.service };
        let transports = if record.transport == "any" { vec!["tcp", "udp"] } else { vec![record.transport.as_str()] };
        let here = first.entry((*record.ports.start(), *record.ports.end())).or_default();
        for transport in transports {
            if here.iter().any(|(_, known)| known.contains(&transport)) {
                continue;
            }
            match here.iter_mut().find(|(name, _)| *name == service) {
                Some((_, known)) => known.push(transport),
                None => here.push((service, vec![transport])),
            }
        }
    }
    let mut text = String::new();
    for ((start, end), services) in first {
        let ports = if start == end { start.to_string() } else { format!("{start}-{end}") };
        for (service, transports) in services {
            let _ = writeln!(text, "{ports} {} {service}", transports.join(","));
        }
    }
    text
}

fn render(records: &[Record], date: &str) -> String {
    let mut text = format!(
        "//! Ports that IANA has assigned to nobody.\n\
         //!\n\
         //! From the Service Name and Transport Protocol Port Number Registry, <https://www.iana.org/assignments/service-names-port-numbers/>,\n\
         //! as of {date}. Written by `iana-table` of the package `portkeeper-tests`; do not edit.\n"
    );
    for (transport, name) in [("tcp", "TCP"), ("udp", "UDP")] {
        let ranges = unassigned(records, transport);
        let _ = write!(
            text,
            "\n/// First and last port of each unassigned range for {name}, ascending.\n\
             #[rustfmt::skip]\n\
             pub(super) const UNASSIGNED_{name}: [(u16, u16); {}] = [\n",
            ranges.len()
        );
        for line in ranges.chunks(8) {
            let line: Vec<_> = line.iter().map(|(first, last)| format!("({first}, {last}),")).collect();
            let _ = writeln!(text, "    {}", line.join(" "));
        }
        text.push_str("];\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plainly_unassigned_is_assigned() {
        let csv = "port,transport,service,description\n\
                   0,tcp,,Reserved\n1,tcp,tcpmux,\"A, B\"\n2,any,,unassigned\n3,udp,x,Y\n\
                   4-6,any,,Reserved\n7,any,x-un,X Unassigned\n8,tcp,,Unassigned [was netstat]\n9,sctp,s,S\n\
                   ,tcp,name-only,No port\n10-65535,any,,Reserved\n";
        let records = records(csv).unwrap();
        assert_eq!(unassigned(&records, "tcp"), [(2, 3), (8, 9)]);
        assert_eq!(unassigned(&records, "udp"), [(1, 2), (8, 9)]);
    }

    #[test]
    fn services_are_told_by_transport_and_the_first_name_counts() {
        let csv = "port,transport,service,description\n\
                   80,tcp,http,Web\n80,tcp,www,Web\n80,udp,http,Web\n81,tcp,,Unassigned\n82,tcp,,Reserved\n\
                   90-91,any,pair,Two\n92,tcp,one,A\n92,udp,other,B\n93,sctp,s,S\n";
        let expected = "80 tcp,udp http\n82 tcp Reserved\n90-91 tcp,udp pair\n92 tcp one\n92 udp other\n";
        assert_eq!(services(&records(csv).unwrap()), expected);
    }

    #[test]
    fn a_broken_csv_is_refused() {
        assert!(records("heading\n1,tcp,x\n").is_err());
        assert!(records("heading\nx,tcp,x,y\n").is_err());
    }
}

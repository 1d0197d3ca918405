//! Writes `host/src/policy/iana.rs` from IANA's registry of service names and ports:
//!
//! ```sh
//! cargo run -p portkeeper-tests --bin iana-table -- service-names-port-numbers.csv 2025-11-14 > host/src/policy/iana.rs
//! ```
//!
//! The CSV is <https://www.iana.org/assignments/service-names-port-numbers/service-names-port-numbers.csv>, reduced to its columns
//! port, transport, service and description. The date is that of the registry's last update. The names of TCP services come from the
//! same file:
//!
//! ```sh
//! cargo run -p portkeeper-tests --bin iana-table -- service-names-port-numbers.csv services > host/src/scan/services.txt
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Write as _, stdout};
use std::ops::RangeInclusive;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(path), Some(date)) = (arguments.next(), arguments.next()) else {
        return Err("usage: iana-table CSV DATE, or iana-table CSV services".into());
    };
    let csv = std::fs::read_to_string(path)?;
    let text = if date == "services" { services(&csv)? } else { render(&records(&csv)?, &date) };
    stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// An assigned or reserved range of ports.
struct Record {
    ports: RangeInclusive<u16>,
    transport: String,
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
            records.push(Record { ports: first.parse()?..=last.parse()?, transport: transport.to_owned() });
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

/// A line for each TCP port that has a service name: the first that the registry lists.
fn services(csv: &str) -> Result<String, Box<dyn Error>> {
    let mut services = BTreeMap::new();
    for line in csv.lines().skip(1) {
        let [ports, transport, service, _] = fields(line)?;
        if let ("tcp", Ok(port)) = (transport, ports.parse::<u16>())
            && !service.is_empty()
        {
            services.entry(port).or_insert(service);
        }
    }
    Ok(services.iter().map(|(port, service)| format!("{port} {service}\n")).collect())
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
    fn a_port_has_the_first_name_that_is_listed() {
        let csv = "port,transport,service,description\n80,tcp,http,\"A, B\"\n80,udp,x,Y\n80,tcp,www,Z\n22,tcp,ssh,S\n\
                   5-6,tcp,range,R\n,tcp,name-only,N\n7,tcp,,Unassigned\n";
        assert_eq!(services(csv).unwrap(), "22 ssh\n80 http\n");
    }

    #[test]
    fn a_broken_csv_is_refused() {
        assert!(records("heading\n1,tcp,x\n").is_err());
        assert!(records("heading\nx,tcp,x,y\n").is_err());
    }
}

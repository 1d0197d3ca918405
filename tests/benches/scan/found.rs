//! What is in a network, or what a scanner found in it.

use std::collections::BTreeSet;

use serde_json::Value;

/// Hosts and ports.
#[derive(Debug, Default, Clone)]
pub(crate) struct Found {
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) open: BTreeSet<(String, u16)>,
    pub(crate) closed: BTreeSet<(String, u16)>,
    /// Closed ports that a scanner only counts.
    pub(crate) closed_count: usize,
}

impl Found {
    /// portkeeper's JSON.
    pub(crate) fn from_portkeeper(text: &str) -> Self {
        let answer: Value = serde_json::from_str(text).expect("JSON");
        let mut found = Self::default();
        for host in answer["hosts"].as_array().expect("hosts").iter().filter(|host| host["own"] == false) {
            let address = host["address"].as_str().expect("an address");
            found.hosts.insert(address.to_owned());
            let open = host["open"].as_array().expect("open").iter().filter_map(Value::as_u64);
            found.open.extend(open.filter_map(|port| Some((address.to_owned(), port.try_into().ok()?))));
            let closed = host["closed"].as_array().expect("closed").iter().filter_map(Value::as_str);
            found.closed.extend(closed.flat_map(range).map(|port| (address.to_owned(), port)));
        }
        found.closed_count = found.closed.len();
        found
    }

    /// nmap's `-oG -`: `Host: 10.77.0.1 () Ports: 8001/open/tcp//… Ignored State: closed (48)`.
    pub(crate) fn from_nmap(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| line.starts_with("Host: ")) {
            let address = line.split_whitespace().nth(1).expect("an address").to_owned();
            if address == OWN {
                continue;
            }
            found.hosts.insert(address.clone());
            for field in line.split('\t') {
                if let Some(ports) = field.strip_prefix("Ports: ") {
                    for port in ports.split(", ") {
                        let mut parts = port.split('/');
                        let (Some(number), Some(state)) = (parts.next(), parts.next()) else { continue };
                        let Ok(number) = number.trim().parse() else { continue };
                        match state {
                            "open" => drop(found.open.insert((address.clone(), number))),
                            "closed" => drop(found.closed.insert((address.clone(), number))),
                            _ => {}
                        }
                    }
                } else if let Some(count) = field.strip_prefix("Ignored State: closed (") {
                    found.closed_count += count.trim_end_matches(')').parse::<usize>().unwrap_or(0);
                }
            }
        }
        found.closed_count += found.closed.len();
        found
    }

    /// RustScan's `-g`: `10.77.0.1 -> [8001,8002]`.
    pub(crate) fn from_rustscan(text: &str) -> Self {
        let mut found = Self::default();
        for (address, ports) in text.lines().filter_map(|line| line.split_once(" -> ")) {
            if address == OWN {
                continue;
            }
            found.hosts.insert(address.to_owned());
            let ports = ports.trim_matches(['[', ']']).split(',');
            found.open.extend(ports.filter_map(|port| Some((address.to_owned(), port.trim().parse().ok()?))));
        }
        found
    }
}

/// The scanner's own address.
const OWN: &str = "10.77.0.253";

fn range(text: &str) -> impl Iterator<Item = u16> + use<> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    first.parse::<u16>().expect("a port")..=last.parse::<u16>().expect("a port")
}

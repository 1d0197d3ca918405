//! Everything that a scan found, collected.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Serialize, Serializer};

use super::{
    Address, Ending, Event, Mac, Names, Options, PortState, Progress, Scan, ScanError, Sighting, Targets, UpBy, scan,
};
use crate::model::{Port, PortRange, PortSet};

/// Everything that a scan found, hosts in the order of their addresses.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Report {
    #[serde(serialize_with = "values")]
    #[cfg_attr(feature = "cli", schemars(with = "Vec<HostReport>"))]
    hosts: BTreeMap<Address, HostReport>,
    scanned: Scanned,
    elapsed_ms: u64,
    complete: bool,
    notes: Vec<String>,
}

/// What was looked at.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Scanned {
    /// The networks, in CIDR notation.
    pub networks: Vec<String>,
    /// The ports.
    pub ports: PortSet,
    /// How many addresses.
    pub addresses: u64,
    /// How many packets it took: questions for addresses, echo requests and connection attempts. Tests of our own ports count, too.
    pub probes: u64,
}

/// One host, and its ports.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct HostReport {
    /// Where it is.
    pub address: Address,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Its network card, where it is on the same link and the system tells.
    pub mac: Option<Mac>,
    /// How we know that it is there.
    pub up_by: UpBy,
    /// How long an answer takes, there and back, in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Whether it is an address of this machine.
    pub own: bool,
    /// Its ports.
    #[serde(flatten)]
    pub ports: Ports,
}

/// Ports by what they do.
#[derive(Debug, Clone, Default, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(into = "Lists")]
#[cfg_attr(feature = "cli", schemars(with = "Lists"))]
pub struct Ports(BTreeMap<Port, PortState>);

/// The lists of the JSON: open ports one by one, others as ranges.
#[derive(Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
struct Lists {
    /// Ports that accept connections.
    open: Vec<Port>,
    /// Ports where nothing listens.
    closed: Vec<String>,
    /// Ports of this machine that do not listen, and cannot be bound either.
    bound: Vec<String>,
    /// Ports that a firewall or router refused.
    rejected: Vec<String>,
    /// Ports without an answer.
    filtered: Vec<String>,
}

impl Ports {
    /// The ports that do this, ascending.
    pub fn that_are(&self, state: PortState) -> impl Iterator<Item = Port> + '_ {
        self.0.iter().filter(move |(_, other)| **other == state).map(|(port, _)| *port)
    }

    /// The same as ranges, as few as possible.
    #[must_use]
    pub fn ranges(&self, state: PortState) -> Vec<PortRange> {
        PortSet::of(self.that_are(state)).map(|set| set.ranges().to_vec()).unwrap_or_default()
    }

    /// What the port does; none when it is not known.
    #[must_use]
    pub fn state(&self, port: Port) -> Option<PortState> {
        self.0.get(&port).copied()
    }

    /// Leaves only the ports that do this.
    pub fn keep(&mut self, state: PortState) {
        self.0.retain(|_, other| *other == state);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges as text: single ports without a dash.
    #[must_use]
    pub fn texts(&self, state: PortState) -> Vec<String> {
        let text = |range: PortRange| if range.len() == 1 { range.first().to_string() } else { range.to_string() };
        self.ranges(state).into_iter().map(text).collect()
    }
}

impl From<Ports> for Lists {
    fn from(ports: Ports) -> Self {
        Self {
            open: ports.that_are(PortState::Open).collect(),
            closed: ports.texts(PortState::Closed),
            bound: ports.texts(PortState::Bound),
            rejected: ports.texts(PortState::Rejected),
            filtered: ports.texts(PortState::Filtered),
        }
    }
}

impl Report {
    /// Nothing found yet.
    #[must_use]
    pub fn new(targets: &Targets, ports: &PortSet) -> Self {
        let networks = targets.networks().iter().map(ToString::to_string).collect();
        let scanned = Scanned { networks, ports: ports.clone(), addresses: targets.len(), probes: 0 };
        Self { hosts: BTreeMap::new(), scanned, elapsed_ms: 0, complete: false, notes: Vec::new() }
    }

    /// Takes an event in.
    pub fn take(&mut self, event: Event) {
        match event {
            Event::Host(sighting) => self.sight(sighting),
            Event::Port { address, port, state } => {
                if let Some(host) = self.hosts.get_mut(&address) {
                    host.ports.0.insert(port, state);
                }
            }
            Event::Note(note) if self.notes.contains(&note) => {}
            Event::Note(note) => self.notes.push(note),
            Event::Finished(ending) => self.complete = ending == Ending::Complete,
        }
    }

    fn sight(&mut self, sighting: Sighting) {
        let Sighting { address, mac, up_by, rtt, own } = sighting;
        let rtt_ms = rtt.map(milliseconds);
        let host = self.hosts.entry(address).or_insert_with(|| HostReport {
            address,
            name: None,
            mac,
            up_by,
            rtt_ms,
            own,
            ports: Ports::default(),
        });
        host.up_by = up_by;
        host.mac = mac.or(host.mac);
        host.rtt_ms = rtt_ms.or(host.rtt_ms);
    }

    /// Takes in what the scan counted so far.
    pub fn count(&mut self, progress: Progress, elapsed: Duration) {
        self.scanned.probes = progress.probes;
        self.elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    }

    /// The hosts, in the order of their addresses.
    pub fn hosts(&self) -> impl Iterator<Item = &HostReport> {
        self.hosts.values()
    }

    /// Leaves only hosts with such ports, and of these only such ports.
    pub fn keep(&mut self, state: PortState) {
        self.hosts.values_mut().for_each(|host| host.ports.keep(state));
        self.hosts.retain(|_, host| !host.ports.is_empty());
    }

    /// Gives the hosts their names.
    pub fn name(&mut self, names: &Names) {
        for host in self.hosts.values_mut().filter(|host| host.name.is_none()) {
            host.name = names.of(host.address.ip).map(str::to_owned);
        }
    }

    /// What was looked at.
    #[must_use]
    pub fn scanned(&self) -> &Scanned {
        &self.scanned
    }

    /// How long it took, in milliseconds.
    #[must_use]
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms
    }

    /// Whether the scan came to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// What the user should know.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Scans, and waits for all of it.
///
/// # Errors
/// As [`scan`].
///
/// # Panics
/// As [`scan`].
pub async fn collect(targets: Targets, options: &Options) -> Result<Report, ScanError> {
    let mut report = Report::new(&targets, &options.ports);
    let mut scan: Scan = scan(targets, options)?;
    while let Some(event) = scan.next().await {
        report.take(event);
    }
    report.count(scan.progress(), scan.elapsed());
    report.name(&Names::of_this_machine());
    Ok(report)
}

/// The same for programs without a runtime.
///
/// # Errors
/// As [`scan`].
pub fn collect_blocking(targets: Targets, options: &Options) -> Result<Report, ScanError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ScanError::Sockets)?;
    runtime.block_on(collect(targets, options))
}

/// Microseconds are as much as such a figure is worth.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn values<K, V: Serialize, S: Serializer>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(map.values())
}

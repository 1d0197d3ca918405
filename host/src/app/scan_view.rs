//! A scan as answers show it.

use super::Table;
use super::answers::ScanLine;
use crate::model::{Port, Protocol};
use crate::policy::service;
use crate::scan::{Event, HostReport, Names, PortState, Report};

/// One event as a line of a stream; none for ports that were not asked for, and for the end: see [`finished_line`].
pub(crate) fn scan_line<'a>(event: &'a Event, only: Option<PortState>, names: &'a Names) -> Option<ScanLine<'a>> {
    Some(match event {
        Event::Host(sighting) => ScanLine::Host {
            address: sighting.address,
            name: names.of(sighting.address.ip),
            mac: sighting.mac,
            up_by: sighting.up_by,
            rtt_ms: sighting.rtt.map(|rtt| (rtt.as_secs_f64() * 1e6).round() / 1e3),
            own: sighting.own,
        },
        Event::Port { state, .. } if only.is_some_and(|only| only != *state) => return None,
        Event::Port { address, port, state } => ScanLine::Port { address: *address, port: *port, state: *state },
        Event::Note(text) => ScanLine::Note { text },
        Event::Finished(_) => return None,
    })
}

/// The last line of a stream.
pub(crate) fn finished_line(report: &Report) -> ScanLine<'_> {
    ScanLine::Finished { complete: report.is_complete(), scanned: report.scanned(), elapsed_ms: report.elapsed_ms() }
}

/// The hosts, a line each.
pub(crate) fn scan_table(report: &Report, only: Option<PortState>) -> Table {
    let shows = |state| only.is_none_or(|only| only == state);
    let mut heading = vec!["ADDRESS", "NAME", "SEEN BY", "RTT", "MAC"];
    heading.extend(
        [(PortState::Open, "OPEN"), (PortState::Closed, "FREE")]
            .iter()
            .filter(|(state, _)| shows(*state))
            .map(|(_, head)| *head),
    );
    if only.is_none() {
        heading.push("UNKNOWN");
    }
    let mut table = Table::new(&heading);
    for host in report.hosts() {
        let mut cells = vec![
            host.address.to_string(),
            host.name.clone().unwrap_or_default(),
            host.up_by.names().collect::<Vec<_>>().join(" "),
            host.rtt_ms.map(|rtt| format!("{rtt:.1} ms")).unwrap_or_default(),
            host.mac.map(|mac| mac.to_string()).unwrap_or_default(),
        ];
        if shows(PortState::Open) {
            cells.push(host.ports.that_are(PortState::Open).map(with_service).collect::<Vec<_>>().join(", "));
        }
        if shows(PortState::Closed) {
            cells.push(host.ports.texts(PortState::Closed).join(", "));
        }
        if only.is_none() {
            cells.push(unknown(host));
        }
        table.row(cells);
    }
    table
}

fn with_service(port: Port) -> String {
    service(Protocol::Tcp, port).map_or_else(|| port.to_string(), |service| format!("{port} {service}"))
}

/// Ports that are neither open nor free, and why.
fn unknown(host: &HostReport) -> String {
    let states = [(PortState::Bound, "bound"), (PortState::Rejected, "rejected"), (PortState::Filtered, "filtered")];
    let parts = states.into_iter().filter_map(|(state, word)| {
        let count = host.ports.that_are(state).count();
        (count > 0).then(|| format!("{count} {word}"))
    });
    parts.collect::<Vec<_>>().join(", ")
}

/// What was looked at, in a line.
pub(crate) fn scan_summary(report: &Report) -> String {
    let scanned = report.scanned();
    let (hosts, seconds) = (report.hosts().count(), report.elapsed_ms() as f64 / 1e3);
    let plural = |count: u64, word: &str| if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") };
    let addresses = match scanned.addresses {
        1 => "1 address".to_owned(),
        count => format!("{count} addresses"),
    };
    format!(
        "{} at {addresses}, ports {}, {} in {seconds:.1} s{}",
        plural(hosts as u64, "host"),
        scanned.ports,
        plural(scanned.probes, "probe"),
        if report.is_complete() { "" } else { " (incomplete)" }
    )
}

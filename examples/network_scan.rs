//! Shows the hosts of the local network with their open and free ports, and reserves one that is free while it runs.
//!
//! `cargo run --example network_scan`. Scan only networks that are yours, or whose owners agree.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use portkeeper::model::PortSet;
use portkeeper::reserve_network::Prefer;
use portkeeper::scan::PortState;
use portkeeper::{PortRegistry, Selection};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = PortRegistry::open()?;
    let ports: PortSet = "8000-8050".parse()?;

    // One or two seconds. `portkeeper::scan::scan` tells the same as a stream of events.
    let report = registry.scan_local_network(&ports)?;
    for host in report.hosts() {
        let open: Vec<_> = host.ports.that_are(PortState::Open).map(|port| port.to_string()).collect();
        let free = host.ports.texts(PortState::Closed).join(",");
        println!("{}: open {open:?}, free {free}", host.address);
    }
    report.notes().iter().for_each(|note| println!("note: {note}"));

    // On an address of this machine if one of them has a free port, else on another machine: there it is only a promise among those
    // who use this registry.
    let selection = Selection::new().range(8000, 8050)?.owner("network_scan");
    let reserved = registry.reserve_network_port(&selection, Prefer::Own)?;
    println!("reserved {}:{}", reserved.host(), reserved.port());
    Ok(())
}

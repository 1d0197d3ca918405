//! Names that are known, and picks.

use std::path::Path;

use crate::cases::PORTKEEPER;
use crate::port_for::PortFor;
use crate::programs::Bench;
use crate::times::Times;

/// The program, as the table calls it.
pub(crate) const PORT_FOR: &str = "port-for";

/// How many rounds each gets.
const ROUNDS: usize = 41;

/// A name that has its port, against the tool that many users come from.
pub(crate) fn names(_: &Bench, times: &mut Times) {
    let (ours, theirs) = (Bench::home(), Bench::home());
    let port_for = PortFor::installed(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let known = ours.portkeeper("port --global web");
    let port = known.ok().port();
    let known_to_them = port_for.as_ref().map(|port_for| port_for.name(&theirs, "web"));
    let their_port = known_to_them.as_ref().map(|run| run.ok().port());
    for _ in 0..ROUNDS {
        assert_eq!(times.time(("known name", PORTKEEPER), &known).port(), port);
        if let Some(run) = &known_to_them {
            assert_eq!(Some(times.time(("known name", PORT_FOR), run).port()), their_port);
        }
    }
}

/// Many ports at once cost little more than a few.
pub(crate) fn pick(_: &Bench, times: &mut Times) {
    let home = Bench::home();
    for _ in 0..ROUNDS {
        for (case, count) in [("pick -n 10", 10), ("pick -n 1000", 1_000)] {
            let ports = times.time((case, PORTKEEPER), &home.portkeeper(format!("pick -n {count}"))).ports();
            assert_eq!(ports.len(), count);
        }
    }
}

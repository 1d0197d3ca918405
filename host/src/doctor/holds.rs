//! Holds, and the processes that keep their sockets.

use std::collections::HashSet;
use std::path::PathBuf;

use super::Finding;
use super::reservations::{here, named};
use crate::os::Liveness;
use crate::registry::{Notice, Snapshot, Transaction};
use crate::reserve::{World, holder_of, recover};

/// Reservations whose holder has ended, and held ports that the registry has lost.
#[must_use]
pub fn holds(snapshot: &Snapshot, world: &impl World) -> Vec<Finding> {
    const ABOUT: &str = "holds";
    let in_state = |state| {
        let ports = here(snapshot, world).filter(move |each| holder_of(each, world) == Some(state));
        ports.map(|reservation| reservation.port).collect::<Vec<_>>()
    };
    let (lost, alive) = (in_state(Liveness::Ended), in_state(Liveness::Alive));
    let unlisted = match recover(&mut Transaction::dry_run(snapshot.clone()), world) {
        Ok(recovered) => recovered.reservations,
        Err(error) => return vec![Finding::unreadable(ABOUT, &error)],
    };
    // A file that the registry can do without today says nothing when the registry is lost.
    let unclear = match world.held(&HashSet::new()) {
        Ok(held) => held.unclear,
        Err(error) => return vec![Finding::unreadable(ABOUT, &error)],
    };
    let mut findings: Vec<_> = unclear.into_iter().map(unclear_hold).collect();
    if !lost.is_empty() {
        findings.push(Finding::problem(
            ABOUT,
            format!("{} is held no longer: its holder has ended, so that nothing keeps it", named(&lost)),
            "reserve it again with --hold, or give it back: portkeeper release PORT",
        ));
    }
    if unlisted > 0 {
        findings.push(Finding::note(
            ABOUT,
            format!("{unlisted} held ports are missing from the registry, and known from their holders"),
            "any change of the registry takes them back in: portkeeper gc",
        ));
    }
    if findings.is_empty() {
        let what = if alive.is_empty() { "none".to_owned() } else { format!("{}: every holder lives", named(&alive)) };
        findings.push(Finding::ok(ABOUT, what));
    }
    findings
}

fn unclear_hold(file: PathBuf) -> Finding {
    let remedy = format!("end that hold, and reserve its ports again: rm {}", file.display());
    Finding::problem("holds", Notice::UnclearHold { file }.to_string(), remedy)
}

//! The tables.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::found::Found;
use crate::networks::Network;
use crate::programs::{BUDGETS, FAST, PORTKEEPER, STRETCH};

/// One scan.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    wall: Duration,
    cpu: Duration,
    hosts: (usize, usize),
    open: (usize, usize),
    closed: (usize, usize),
    false_closed: usize,
}

impl Measured {
    pub(crate) fn new(wall: Duration, cpu: Duration, truth: &Found, found: &Found) -> Self {
        Self {
            wall,
            cpu,
            hosts: (found.hosts.intersection(&truth.hosts).count(), truth.hosts.len()),
            open: (found.open.intersection(&truth.open).count(), truth.open.len()),
            closed: (found.closed_count, truth.closed.len()),
            false_closed: found.closed.difference(&truth.closed).count(),
        }
    }
}

/// All scans.
#[derive(Debug, Default)]
pub(crate) struct Report(BTreeMap<(&'static str, &'static str), Vec<Measured>>);

impl Report {
    pub(crate) fn add(&mut self, network: Network, program: &'static str, measured: Measured) {
        self.0.entry((network.name(), program)).or_default().push(measured);
    }

    /// Ports that portkeeper called closed and that are not. One is too many.
    pub(crate) fn false_closed(&self) -> usize {
        let ours = self.0.iter().filter(|((_, program), _)| [PORTKEEPER, FAST].contains(program));
        ours.flat_map(|(_, all)| all).map(|measured| measured.false_closed).sum()
    }

    fn median(&self, network: &'static str, program: &'static str) -> Option<Duration> {
        let mut walls: Vec<_> = self.0.get(&(network, program))?.iter().map(|measured| measured.wall).collect();
        walls.sort_unstable();
        walls.get(walls.len() / 2).copied()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<6} {:<20} {:>8} {:>8} {:>9} {:>9} {:>13} {:>7}",
            "case", "program", "median", "cpu", "hosts", "open", "closed", "false"
        )?;
        for ((network, program), all) in &self.0 {
            // The worst of all scans: what may happen, not what may be hoped for.
            let worst = |part: fn(&Measured) -> (usize, usize)| all.iter().map(part).min().unwrap_or_default();
            let text = |(found, of): (usize, usize)| format!("{found}/{of}");
            let cpu = all.iter().map(|measured| measured.cpu).sum::<Duration>() / u32::try_from(all.len()).unwrap_or(1);
            let false_closed: usize = all.iter().map(|measured| measured.false_closed).sum();
            writeln!(
                f,
                "{network:<6} {program:<20} {:>7.3}s {:>7.3}s {:>9} {:>9} {:>13} {false_closed:>7}",
                self.median(network, program).unwrap_or_default().as_secs_f64(),
                cpu.as_secs_f64(),
                text(worst(|measured| measured.hosts)),
                text(worst(|measured| measured.open)),
                text(worst(|measured| measured.closed)),
            )?;
        }
        writeln!(f, "\n{:<6} {:<20} {:<20} {:>7} {:>7}", "case", "program", "against", "ratio", "budget")?;
        let wanted = BUDGETS.map(|budget| (budget, "OVER")).into_iter().chain(STRETCH.map(|goal| (goal, "not yet")));
        for ((program, network, other, budget), missed) in wanted {
            let times = (self.median(network.name(), program), self.median(network.name(), other));
            let (Some(ours), Some(theirs)) = times else { continue };
            let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
            let verdict = if ratio <= budget { "ok" } else { missed };
            writeln!(f, "{:<6} {program:<20} {other:<20} {ratio:>7.3} {budget:>7.2}  {verdict}", network.name())?;
        }
        Ok(())
    }
}

//! Makes a network, and lets every program scan it in turn.

use std::process::Command;
use std::time::{Duration, Instant};

use portkeeper_tests::{Lan, Programs, Sandbox, Usage, release_build};

use crate::networks::Network;
use crate::programs::Program;
use crate::report::{Measured, Report};

fn under_test() -> Programs {
    Programs { portkeeper: release_build(), stand_in: env!("CARGO_BIN_EXE_stand-in") }
}

/// How often every program scans, and the time in which it may begin once more: some take minutes for one scan.
const ROUNDS: usize = 5;
const ENOUGH: Duration = Duration::from_secs(60);

pub(crate) fn measure(network: Network, programs: &[Program], report: &mut Report) {
    let sandbox = Sandbox::new(under_test());
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    let truth = network.make(&mut lan);
    let (to, ports) = network.target();
    let programs: Vec<_> = programs.iter().filter(|program| program.needs.is_none_or(is_installed)).collect();
    let mut spent = vec![Duration::ZERO; programs.len()];
    for _ in 0..ROUNDS {
        for (program, spent) in programs.iter().zip(&mut spent).filter(|(_, spent)| **spent < ENOUGH) {
            let run = match program.needs {
                None => sandbox.portkeeper((program.arguments)(to, ports)),
                Some(name) => sandbox.program(name).words(&(program.arguments)(to, ports)),
            };
            // Nobody is known yet, as in a network that one comes into.
            lan.at_scanner("ip neigh flush all");
            let (start, cpu) = (Instant::now(), Usage::of_children().cpu);
            let outcome = run.inside(lan.scanner()).run();
            let (wall, cpu) = (start.elapsed(), Usage::of_children().cpu - cpu);
            *spent += wall;
            assert!(outcome.status.success(), "{outcome}");
            let found = (program.read)(&outcome.stdout);
            report.add(network, program.name, Measured::new(wall, cpu, &truth, &found));
        }
    }
}

fn is_installed(name: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output();
    found.is_ok_and(|found| found.status.success())
}

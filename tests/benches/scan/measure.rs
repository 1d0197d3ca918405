//! Makes a network, and lets every program scan it in turn.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use portkeeper_tests::{Lan, Programs, Sandbox};

use crate::networks::Network;
use crate::programs::Program;
use crate::report::{Measured, Report};

const UNDER_TEST: Programs = Programs {
    portkeeper: env!("CARGO_BIN_EXE_portkeeper-under-test"),
    stand_in: env!("CARGO_BIN_EXE_stand-in"),
    target: env!("CARGO_TARGET_TMPDIR"),
};

/// How often every program scans.
const ROUNDS: usize = 5;

pub(crate) fn measure(network: Network, programs: &[Program], report: &mut Report) {
    let sandbox = Sandbox::new(UNDER_TEST);
    let Some(mut lan) = Lan::or_skip(&sandbox) else { return };
    let truth = network.make(&mut lan);
    let (to, ports) = network.target();
    for _ in 0..ROUNDS {
        for program in programs.iter().filter(|program| program.needs.is_none_or(is_installed)) {
            let run = match program.needs {
                None => sandbox.portkeeper((program.arguments)(to, ports)),
                Some(name) => sandbox.program(name).words(&(program.arguments)(to, ports)),
            };
            // Nobody is known yet, as in a network that one comes into.
            lan.at_scanner("ip neigh flush all");
            let (start, cpu) = (Instant::now(), cpu_of_children());
            let outcome = run.inside(lan.scanner()).run();
            let (wall, cpu) = (start.elapsed(), cpu_of_children() - cpu);
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

/// What all children have taken so far that have ended.
fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("getrusage");
    let time = |seconds: i64, micros: i64| {
        Duration::from_secs(seconds.unsigned_abs()) + Duration::from_micros(micros.unsigned_abs())
    };
    time(usage.user_time().tv_sec(), usage.user_time().tv_usec())
        + time(usage.system_time().tv_sec(), usage.system_time().tv_usec())
}

//! Many callers in parallel, some of them killed.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use portkeeper_tests::{Outcome, Ports, Run, Running, Sandbox, all_at_once};
use serde_json::Value;

use crate::sandbox;

/// `count` callers in parallel, each in a directory of its own.
fn crowd(sandbox: &Sandbox, ports: &Ports, count: usize) -> Vec<Outcome> {
    let caller = |number| {
        let directory = sandbox.directory(format!("caller-{number}"));
        // A busy machine may need more than the ten seconds that a person would wait.
        let words = format!("reserve --range {ports} --owner caller-{number} --lock-timeout 2m");
        sandbox.portkeeper(words).within(directory)
    };
    all_at_once((0..count).map(caller))
}

/// That all callers got a port, no two the same, and that the registry knows all of them.
#[track_caller]
fn assert_all_different_and_recorded(sandbox: &Sandbox, outcomes: &[Outcome]) {
    let answered: BTreeSet<u16> = outcomes.iter().map(|outcome| outcome.expect_code(0).port()).collect();
    assert_eq!(answered.len(), outcomes.len(), "distinct ports");
    assert_eq!(sandbox.reserved(), answered.into_iter().collect::<Vec<_>>(), "recorded ports");
}

#[test]
fn fifty_concurrent_reserves_get_fifty_ports() {
    let (sandbox, ports) = (sandbox(), Ports::take(50));
    let _ = sandbox.portkeeper(format!("reserve --port {}", ports.first())).ok();
    let _ = sandbox.portkeeper(format!("release {}", ports.first())).ok();
    let outcomes = crowd(&sandbox, &ports, 50);
    assert_all_different_and_recorded(&sandbox, &outcomes);
}

#[test]
fn fifty_concurrent_first_reserves_make_the_registry_once() {
    let (sandbox, ports) = (sandbox(), Ports::take(50));
    assert!(!sandbox.registry().exists());
    let outcomes = crowd(&sandbox, &ports, 50);
    assert_all_different_and_recorded(&sandbox, &outcomes);
}

#[test]
fn two_hundred_concurrent_reserves_get_two_hundred_ports() {
    let (sandbox, ports) = (sandbox(), Ports::take(200));
    let outcomes = crowd(&sandbox, &ports, 200);
    assert_all_different_and_recorded(&sandbox, &outcomes);
}

#[test]
fn concurrent_reserves_of_a_range_that_is_too_small_share_it_out_exactly() {
    let (sandbox, ports) = (sandbox(), Ports::take(10));
    let outcomes = crowd(&sandbox, &ports, 30);
    let (lucky, late): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(|outcome| outcome.code() == Some(0));
    assert_all_different_and_recorded(&sandbox, &lucky);
    assert_eq!(lucky.len(), 10);
    late.iter().for_each(|outcome| {
        outcome.expect_code(1).is_one_clear_error();
    });
}

#[test]
fn concurrent_reserves_and_releases_lose_nothing() {
    let (sandbox, ports) = (sandbox(), Ports::take(60));
    let old = sandbox.portkeeper(format!("reserve --count 20 --range {ports}")).ok().ports();
    let releases = old.iter().map(|port| sandbox.portkeeper(format!("release {port}")));
    let reserves = (0..20).map(|_| sandbox.portkeeper(format!("port --range {}-{}", ports.at(20), ports.last())));
    let outcomes = all_at_once(releases.zip(reserves).flat_map(<[Run<'_>; 2]>::from));
    let mut kept: Vec<u16> = outcomes.iter().skip(1).step_by(2).map(|outcome| outcome.expect_code(0).port()).collect();
    outcomes.iter().step_by(2).for_each(|outcome| {
        outcome.expect_code(0);
    });
    kept.sort_unstable();
    assert_eq!(sandbox.reserved(), kept);
}

/// Starts callers and kills about half of them at random moments. Returns what the others answered.
fn crowd_under_fire(run: &Run<'_>, count: usize, random: &mut fastrand::Rng) -> Vec<Outcome> {
    let mut running: Vec<Running> = (0..count).map(|_| run.start()).collect();
    for caller in &mut running {
        if random.bool() {
            // Not waiting for anything: this is what scatters the kills over the callers' lives.
            sleep(Duration::from_micros(random.u64(..4_000)));
            caller.kill();
        }
    }
    running.into_iter().map(Running::finish).filter(|outcome| outcome.code().is_some()).collect()
}

#[track_caller]
fn assert_sound(sandbox: &Sandbox) {
    let Ok(text) = std::fs::read_to_string(sandbox.registry()) else { return };
    let parsed: Result<Value, _> = serde_json::from_str(&text);
    parsed.unwrap_or_else(|error| panic!("the registry is corrupt: {error}\n{text}"));
}

#[test]
fn killed_callers_corrupt_nothing_and_no_port_is_given_twice() {
    let (sandbox, ports) = (sandbox(), Ports::take(100));
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let run = sandbox.portkeeper(format!("reserve --range {ports}"));
    let mut answered = BTreeSet::new();
    for round in 0..8 {
        for outcome in crowd_under_fire(&run, 12, &mut random) {
            let port = outcome.expect_code(0).port();
            assert!(answered.insert(port), "{port} was given twice in round {round} of seed {seed}\n{outcome}");
        }
        assert_sound(&sandbox);
    }
    let recorded = BTreeSet::from_iter(sandbox.reserved());
    assert!(recorded.is_superset(&answered), "seed {seed}: answered but not recorded: {answered:?}, {recorded:?}");
}

#[test]
fn what_killed_callers_leave_is_collected() {
    let (sandbox, ports) = (sandbox(), Ports::take(40));
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let run = sandbox.portkeeper(format!("reserve --range {ports} --grace 0s"));
    for _ in 0..6 {
        crowd_under_fire(&run, 12, &mut random);
    }
    let _ = sandbox.portkeeper("gc").ok();
    assert_eq!(sandbox.reserved(), [0; 0], "seed {seed}");
    let left = std::fs::read_dir(sandbox.state()).unwrap().map(|entry| entry.unwrap().file_name());
    let litter: Vec<_> = left.filter(|name| !name.to_string_lossy().starts_with("registry.json")).collect();
    assert!(litter.is_empty(), "seed {seed}: left behind in the state directory: {litter:?}");
}

//! What is measured. Every case gives back what it took, so that the hundredth round meets the same registry as the first.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use portkeeper_tests::{Outcome, Run, Sandbox, all_at_once};
use serde_json::{Value, json};

use crate::programs::Bench;
use crate::times::Times;

/// The programs, as the table calls them.
pub(crate) const PORTKEEPER: &str = "portkeeper";
pub(crate) const FLOOR: &str = "floor";
pub(crate) const TRUE: &str = "/bin/true";
pub(crate) const PYTHON: &str = "Python";

/// How many rounds a fast case gets.
const ROUNDS: usize = 41;

/// How many callers `crowd` has.
const CROWD: usize = 200;

/// One command at a time.
pub(crate) fn everyday(bench: &Bench, times: &mut Times) {
    let (ours, floors, theirs) = (Bench::home(), Bench::home(), Bench::home());
    let floor = bench.floor(&floors);
    // The first run after another program's finds that program in the processor's caches: nobody is timed there.
    for _ in 0..ROUNDS {
        floors.program("/bin/true").ok();
        times.time(("nothing", TRUE), &floors.program("/bin/true"));
        floor.ok();
        times.time(("reserve", FLOOR), &floor);
        release(&ours, &bench.reserve(&ours).ok());
        reserve_and_release(bench, &ours, times, "reserve", "release");
        let chosen = times.time(("reserve, any port", PORTKEEPER), &ours.portkeeper("reserve"));
        release(&ours, &chosen);
        let chosen = times.time(("port", PORTKEEPER), &ours.portkeeper(format!("port {}", bench.selection())));
        times.time(("status", PORTKEEPER), &ours.portkeeper("status"));
        release(&ours, &chosen);
        if let Some(python) = &bench.python {
            let (port, last) = (bench.port, bench.port + 100);
            let reserve = format!("reserve --preferred {port} --range {port} {last}");
            python.portkeeper(&theirs, &reserve).ok();
            python.portkeeper(&theirs, &format!("release {port}")).ok();
            times.time(("reserve", PYTHON), &python.portkeeper(&theirs, &reserve));
            times.time(("status", PYTHON), &python.portkeeper(&theirs, "status"));
            times.time(("release", PYTHON), &python.portkeeper(&theirs, &format!("release {port}")));
        }
    }
}

/// A port that the kernel keeps, from the call until the holder has its sockets, and until the kernel has it back.
pub(crate) fn hold(bench: &Bench, times: &mut Times) {
    let ours = Bench::home();
    for _ in 0..ROUNDS {
        reserve_and_release(bench, &ours, times, "reserve beside hold", "release beside hold");
        let held = times.time(("hold", PORTKEEPER), &bench.reserve(&ours).arg("--hold"));
        assert_eq!(held.json()["held"], true, "{held}");
        times.time(("release a hold", PORTKEEPER), &ours.portkeeper(format!("release {}", held.port())));
        let held = times.time(("hold 100 ports", PORTKEEPER), &ours.portkeeper("port --hold --count 100"));
        assert_eq!(held.ports().len(), 100, "{held}");
        ours.portkeeper("release --all").ok();
    }
}

/// Many callers at once: all of them have to get a port of their own.
pub(crate) fn crowd(bench: &Bench, times: &mut Times) {
    let (ours, floors, theirs) = (Bench::home(), Bench::home(), Bench::home());
    let range = format!("reserve --range {}-{}", bench.port, bench.port + 999);
    for round in 0..5 {
        let outcomes = times.record(("200 at once", PORTKEEPER), || all_at_once(vec![ours.portkeeper(&range); CROWD]));
        all_different(outcomes.iter().map(Outcome::port));
        ours.portkeeper("release --all").ok();
        // The floor's callers wait for each other too, and never for a port.
        let outcomes = times.record(("200 at once", FLOOR), || all_at_once(vec![bench.floor(&floors); CROWD]));
        for outcome in outcomes {
            outcome.expect_code(0);
        }
        if round < 2
            && let Some(python) = &bench.python
        {
            let at_once = || python.reserve_at_once(&theirs, bench.port, CROWD);
            let outcomes = times.record(("200 at once", PYTHON), at_once);
            all_different(outcomes.iter().map(Outcome::port));
        }
    }
}

/// One command at a time, beside that many live reservations.
pub(crate) fn population(bench: &Bench, times: &mut Times) {
    const SIZES: [(usize, &str, &str); 3] = [
        (10, "reserve beside 10", "release beside 10"),
        (1_000, "reserve beside 1,000", "release beside 1,000"),
        (10_000, "reserve beside 10,000", "release beside 10,000"),
    ];
    let homes = SIZES.map(|(size, ..)| populated(size));
    for _ in 0..ROUNDS {
        for (home, (_, reserve, release)) in homes.iter().zip(SIZES) {
            reserve_and_release(bench, home, times, reserve, release);
        }
        for (home, case) in homes.iter().zip(["status of 10", "status of 1,000", "status of 10,000"]) {
            times.time((case, PORTKEEPER), &home.portkeeper("status"));
        }
    }
}

/// The main job: two ports and four files, in a project's directory that has none of them yet.
pub(crate) fn prepare(bench: &Bench, times: &mut Times) {
    let (ours, cold, theirs) = (Bench::home(), Bench::home(), Bench::home());
    // The first one fills the cache of compiled plugins.
    in_new_project(bench, &ours, |run| drop(run.ok()));
    for round in 0..ROUNDS {
        reserve_and_release(bench, &ours, times, "reserve beside prepare", "release beside prepare");
        in_new_project(bench, &ours, |run| {
            every_output_is("written", &times.time(("prepare", PORTKEEPER), run));
            every_output_is("unchanged", &times.time(("prepare again", PORTKEEPER), run));
        });
        // Compiling takes its time: fewer rounds do.
        if round % 4 == 0 {
            let _ = fs::remove_dir_all(cache(&cold));
            let mut prepare = |run: &Run<'_>| times.time(("prepare, empty cache", PORTKEEPER), run);
            in_new_project(bench, &cold, |run| every_output_is("written", &prepare(run)));
        }
        if let Some(python) = &bench.python {
            let directory = theirs.directory("project");
            times.time(("prepare", PYTHON), &python.prepare(&theirs, bench.port).within(&directory));
            fs::remove_dir_all(directory).expect("a directory");
        }
    }
}

fn cache(home: &Sandbox) -> PathBuf {
    home.root().join("cache")
}

/// A home with that many live reservations.
///
/// They are made with the product itself, so that no format is repeated here. Their lease is one that the run cannot outlive.
fn populated(size: usize) -> Sandbox {
    let home = Bench::home();
    home.portkeeper(format!("reserve --count {size} --range 1024-22000 --ttl 2h")).ok();
    assert_eq!(home.reserved().len(), size);
    home
}

/// Offers a `prepare` where nothing was prepared yet, and takes back what came of it.
pub(crate) fn in_new_project(bench: &Bench, home: &Sandbox, prepare: impl FnOnce(&Run<'_>)) {
    home.write("project/pk.config.json", config(bench.port).to_string());
    // Compiled plugins are shared by all homes of the harness; here each has its own.
    prepare(&home.portkeeper("prepare").within(home.work().join("project")).env("XDG_CACHE_HOME", cache(home)));
    home.portkeeper("release --all").ok();
    fs::remove_dir_all(home.work().join("project")).expect("a directory");
}

fn config(port: u16) -> Value {
    let urls = json!({ "httpUrl": "http://localhost:${SERVICE_PORT}", "wsUrl": "ws://localhost:${SERVICE_PORT}/ws" });
    json!({
        "ports": [
            { "key": "SERVICE_PORT", "preferred": port, "range": [port, port + 100] },
            { "key": "FRONTEND_PORT", "preferred": port + 101, "range": [port + 101, port + 201] },
        ],
        "outputs": [
            { "type": "env", "path": ".env" },
            { "type": "json", "path": "config.json", "map": urls },
            { "type": "runtime_js", "path": "runtime-config.js", "map": urls },
            {
                "type": "docker-compose",
                "path": "compose.override.yaml",
                "services": { "web": { "SERVICE_PORT": 80 }, "frontend": { "FRONTEND_PORT": 8080 } },
            },
        ],
    })
}

fn every_output_is(status: &str, outcome: &Outcome) {
    let answer = outcome.json();
    let outputs = answer["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert!(outputs.len() == 4 && outputs.iter().all(|output| output["status"] == status), "{outcome}");
}

pub(crate) fn reserve_and_release(
    bench: &Bench,
    home: &Sandbox,
    times: &mut Times,
    reserve: &'static str,
    release: &'static str,
) {
    let port = times.time((reserve, PORTKEEPER), &bench.reserve(home)).port();
    times.time((release, PORTKEEPER), &home.portkeeper(format!("release {port}")));
}

fn release(home: &Sandbox, chosen: &Outcome) {
    home.portkeeper(format!("release {}", chosen.port())).ok();
}

fn all_different(ports: impl IntoIterator<Item = u16>) {
    let different: BTreeSet<u16> = ports.into_iter().collect();
    assert_eq!(different.len(), CROWD, "every caller has a port of its own");
}

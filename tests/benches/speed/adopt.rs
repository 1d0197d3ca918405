//! What it costs a server that portkeeper watches: its bind, binds of other ports, and calls that nobody watches.

use std::fmt::Write as _;
use std::time::Duration;

use portkeeper_tests::Run;

use crate::programs::Bench;
use crate::times::Times;

const WATCHED: &str = "watched";
const UNWATCHED: &str = "unwatched";

/// A call, and how much longer it may take under `run --handover adopt`. Seccomp itself costs every call some nanoseconds.
const CALLS: [(&str, Duration); 3] = [
    ("bind of the port", Duration::from_millis(1)),
    ("bind of another port", Duration::from_millis(1)),
    ("getppid", Duration::from_nanos(100)),
];

/// The same program with portkeeper and without, in turn.
pub(crate) fn adopt(bench: &Bench, times: &mut Times) {
    let home = Bench::home();
    let port = bench.port;
    let cost = format!("cost 127.0.0.1:{port}");
    let alone = home.stand_in_run(&cost);
    let run = format!("run --quiet --handover adopt --port {port} -- {} {cost}", home.stand_in_path());
    let watched = home.portkeeper(run);
    for _ in 0..11 {
        measure(times, UNWATCHED, &alone);
        measure(times, WATCHED, &watched);
    }
}

/// The program prints nanoseconds, in the order of [`CALLS`].
fn measure(times: &mut Times, how: &'static str, run: &Run<'_>) {
    let outcome = run.ok();
    let nanoseconds = outcome.stdout.split_whitespace().map(|number| number.parse().expect("nanoseconds"));
    for ((call, _), nanoseconds) in CALLS.iter().zip(nanoseconds) {
        times.add((call, how), Duration::from_nanos(nanoseconds));
    }
}

/// What was measured; nothing if it was not.
pub(crate) fn report(times: &Times) -> String {
    let mut text = String::new();
    for (call, budget) in CALLS {
        let (Some(watched), Some(alone)) = (times.median((call, WATCHED)), times.median((call, UNWATCHED))) else {
            continue;
        };
        let added = watched.saturating_sub(alone);
        let verdict = if added <= budget { "ok" } else { "OVER" };
        let _ = writeln!(
            text,
            "{call:<22} {watched:>11.1?}   {:<34} {alone:>11.1?} adds {added:.1?} of {budget:?} {verdict}",
            "without portkeeper"
        );
    }
    text
}

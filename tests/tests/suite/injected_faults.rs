//! System calls that fail. Every point is run by `cargo run -p portkeeper-tests --bin faults`; here, as many as there is time for.

use std::time::Duration;

use portkeeper_tests::injection::{Choice, run};
use portkeeper_tests::{skipped, tell, trace};

use crate::programs;

#[test]
fn whatever_call_fails_no_promise_is_broken() {
    if !trace::is_allowed() {
        skipped("PTRACE", "this process may not trace others");
        return;
    }
    let choice = Choice { seed: fastrand::u64(..), time: Duration::from_secs(30), count: usize::MAX };
    let report = run(programs(), choice, |_| true);
    tell(format_args!("seed {}: {} of {} points run", choice.seed, report.run, report.points));
    assert!(report.broken.is_empty(), "seed {}\n{report}", choice.seed);
    assert!(report.run > report.missed, "{report}");
}

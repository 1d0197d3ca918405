//! Races with an attacker who swaps files of the project. Every point is run by `cargo run -p portkeeper-tests --bin faults -- --races`;
//! here, as many as there is time for.

use std::time::Duration;

use portkeeper_tests::injection::Choice;
use portkeeper_tests::race::{COMMANDS, Field, look_as_another_user, run, swap_meanwhile};
use portkeeper_tests::{skipped, tell, trace};

use crate::programs;

#[test]
fn whenever_something_is_swapped_nothing_escapes() {
    if !trace::is_allowed() {
        skipped("PTRACE", "this process may not trace others");
        return;
    }
    let choice = Choice { seed: fastrand::u64(..), time: Duration::from_secs(25), count: usize::MAX };
    let report = run(programs(), choice);
    let count: usize = report.run.values().sum();
    tell(format_args!("seed {}: {count} of {} points run", choice.seed, report.points));
    assert!(report.escapes.is_empty(), "seed {}\n{report}", choice.seed);
    assert!(count > report.missed, "{report}");
}

#[test]
fn a_directory_that_is_swapped_all_the_time_leads_nowhere() {
    let field = Field::new(programs());
    let (runs, escapes) = swap_meanwhile(&field, Duration::from_secs(5));
    tell(format_args!("{runs} runs"));
    assert!(escapes.is_empty(), "{escapes:#?}");
    assert!(runs > 1);
}

#[test]
fn private_text_is_at_no_moment_open_to_others() {
    if !trace::is_allowed() {
        skipped("PTRACE", "this process may not trace others");
        return;
    }
    let field = Field::new(programs());
    for command in COMMANDS {
        let (calls, found) = look_as_another_user(&field, command);
        assert!(calls > 20, "{command}: {calls}");
        assert!(found.is_empty(), "{command}: {found:#?}");
    }
}

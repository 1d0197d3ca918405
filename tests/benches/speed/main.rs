//! How fast portkeeper is: whole processes of the release build, side by side with what sets the scale.
//!
//! - the floor (`floor.c`): the least that a reservation which survives a crash has to do
//! - `/bin/true`: what a process costs that does nothing
//! - the Python tools that many users come from, when they can be installed
//!
//! `cargo bench --profile dev -p portkeeper-tests --bench speed` measures everything, with `-- prepare crowd` some of it. Programs
//! take turns, so that a busy moment of the machine hits all of them. A timing over its budget is marked and never fails the run,
//! because it depends on the machine; a wrong answer does.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's answer is what it prints")]

mod adopt;
mod cases;
mod formats;
mod machine;
mod names;
mod port_for;
mod programs;
mod python;
mod report;
mod times;

use programs::{Bench, peak_memory_of_child};
use times::Times;

/// A case: its name on the command line, and what it measures.
type Case = (&'static str, fn(&Bench, &mut Times));

const CASES: [Case; 9] = [
    ("everyday", cases::everyday),
    ("hold", cases::hold),
    ("crowd", cases::crowd),
    ("population", cases::population),
    ("prepare", cases::prepare),
    ("formats", formats::formats),
    ("names", names::names),
    ("pick", names::pick),
    ("adopt", adopt::adopt),
];

fn main() {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some((programs::PEAK_MEMORY, command)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        println!("{}", peak_memory_of_child(command));
        return;
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    if let Some(unknown) = words.iter().find(|word| CASES.iter().all(|(name, _)| name != word)) {
        let names = CASES.map(|(name, _)| name).join(", ");
        eprintln!("error: there is no case `{unknown}`; the cases are {names}");
        std::process::exit(2);
    }

    let bench = Bench::new();
    print!("{}", machine::description());
    let mut times = Times::default();
    for (name, measure) in CASES.iter().filter(|(name, _)| wanted(name)) {
        eprintln!("measuring: {name}");
        measure(&bench, &mut times);
    }
    println!("\n{}{}", report::timings(&times), adopt::report(&times));
    println!("{}", report::sizes(&bench));
}

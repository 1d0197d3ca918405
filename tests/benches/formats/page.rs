//! The page of the documents.

use std::fmt::Write;
use std::fs;

use portkeeper_tests::builtin;

use crate::Measured;

const BEGIN: &str = "<!-- measured: begin -->\n";
const END: &str = "<!-- measured: end -->\n";

pub(crate) fn table(all: &[Measured]) -> String {
    let mut text =
        "| format | lines | keys | time | million instructions | memory |\n|---|---|---|---|---|---|\n".to_owned();
    for one in all {
        let start = format!("| {} | {} | {} |", one.format, grouped(one.lines), grouped(one.keys));
        // Writing to a string cannot fail.
        let _ = match &one.result {
            Ok(taken) => {
                let time = taken.time.as_secs_f64() * 1e3;
                let fuel = taken.fuel as f64 / 1e6;
                writeln!(text, "{start} {time:.1} ms | {fuel:.1} | {:.1} MiB |", taken.memory as f64 / 1_048_576.0)
            }
            Err(reason) => writeln!(text, "{start} refused: {} | | |", reason.lines().next().unwrap_or_default()),
        };
    }
    text
}

/// Puts the table into the page, and the plot beside it.
pub(crate) fn write(table: &str, svg: &str) {
    let directory = builtin::root().join("docs/src/reference");
    let page = directory.join("formats-speed.md");
    let old = fs::read_to_string(&page).expect("the page");
    let (before, rest) = old.split_once(BEGIN).expect("the page has the place");
    let (_, after) = rest.split_once(END).expect("the page has the place's end");
    fs::write(&page, format!("{before}{BEGIN}\n{table}\n{END}{after}")).expect("the page can be written");
    fs::write(directory.join("formats-speed.svg"), svg).expect("the plot can be written");
}

fn grouped(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

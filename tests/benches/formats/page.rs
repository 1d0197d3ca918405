//! The page of the documents.

use std::fmt::Write;
use std::fs;

use portkeeper_tests::builtin;

use crate::{Compiled, Measured};

pub(crate) fn table(all: &[Measured]) -> String {
    let mut text =
        "| format | lines | keys | CPU time | million instructions | memory |\n|---|---|---|---|---|---|\n".to_owned();
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

pub(crate) fn compiled(all: &[Compiled]) -> String {
    let mut text = "| format | component | compiling, CPU time |\n|---|---|---|\n".to_owned();
    for Compiled { format, bytes, time } in all {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {format} | {:.0} KB | {:.0} ms |", *bytes as f64 / 1e3, time.as_secs_f64() * 1e3);
    }
    text
}

/// Puts the tables into the page, and the plot beside it.
pub(crate) fn write(measured: &str, compiled: &str, svg: &str) {
    let directory = builtin::root().join("docs/src/reference");
    let page = directory.join("formats-speed.md");
    let mut text = fs::read_to_string(&page).expect("the page");
    for (mark, table) in [("measured", measured), ("compiled", compiled)] {
        text = replaced(&text, mark, table);
    }
    fs::write(&page, text).expect("the page can be written");
    fs::write(directory.join("formats-speed.svg"), svg).expect("the plot can be written");
}

/// The text with the table between the two marks.
fn replaced(text: &str, mark: &str, table: &str) -> String {
    let (begin, end) = (format!("<!-- {mark}: begin -->\n"), format!("<!-- {mark}: end -->\n"));
    let (before, rest) = text.split_once(&begin).expect("the page has the place");
    let (_, after) = rest.split_once(&end).expect("the page has the place's end");
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn grouped(number: usize) -> String {
    if number < 1_000 { number.to_string() } else { format!("{},{:03}", number / 1_000, number % 1_000) }
}

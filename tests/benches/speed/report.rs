//! The tables: what was measured, beside what it is measured against and what it may take.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use portkeeper_tests::{Run, Sandbox};

use crate::cases::{FLOOR, PORTKEEPER, PYTHON, TRUE, in_new_project};
use crate::formats::{self, Source};
use crate::names::PORT_FOR;
use crate::programs::{Bench, peak_memory};
use crate::times::{Series, Times};

/// One line: portkeeper in a case, what it is compared with, and how many times that it may take. No budget: for information.
struct Line {
    case: &'static str,
    against: Series,
    budget: Option<f64>,
}

const fn line(case: &'static str, against: Series, budget: Option<f64>) -> Line {
    Line { case, against, budget }
}

const LINES: [Line; 33] = [
    line("reserve", ("reserve", FLOOR), Some(3.0)),
    line("reserve", ("reserve", PYTHON), Some(0.05)),
    line("reserve", ("nothing", TRUE), None),
    line("reserve, any port", ("reserve", FLOOR), Some(3.0)),
    line("port", ("reserve", FLOOR), Some(3.0)),
    line("port", ("reserve", PYTHON), Some(0.05)),
    line("release", ("reserve", FLOOR), Some(3.0)),
    line("release", ("release", PYTHON), Some(0.05)),
    line("status", ("nothing", TRUE), Some(3.0)),
    line("status", ("status", PYTHON), None),
    line("hold", ("reserve beside hold", PORTKEEPER), Some(3.0)),
    line("release a hold", ("release beside hold", PORTKEEPER), None),
    line("hold 100 ports", ("reserve beside hold", PORTKEEPER), None),
    line("200 at once", ("200 at once", FLOOR), None),
    line("200 at once", ("200 at once", PYTHON), Some(0.05)),
    line("reserve beside 1,000", ("reserve beside 10", PORTKEEPER), Some(2.0)),
    line("reserve beside 10,000", ("reserve beside 10", PORTKEEPER), Some(5.0)),
    line("release beside 1,000", ("release beside 10", PORTKEEPER), None),
    line("release beside 10,000", ("release beside 10", PORTKEEPER), None),
    line("status of 1,000", ("status of 10", PORTKEEPER), Some(3.0)),
    line("status of 10,000", ("status of 10", PORTKEEPER), None),
    line("prepare", ("reserve beside prepare", PORTKEEPER), Some(3.0)),
    line("prepare", ("prepare", PYTHON), None),
    line("prepare again", ("reserve beside prepare", PORTKEEPER), Some(3.0)),
    line("prepare, empty cache", ("prepare", PYTHON), Some(1.0)),
    line("prepare, empty cache", ("prepare", PORTKEEPER), None),
    line("ten formats", ("reserve beside ten formats", PORTKEEPER), Some(3.0)),
    line("ten plugins", ("reserve beside ten formats", PORTKEEPER), None),
    line("ten plugins, cold", ("ten plugins", PORTKEEPER), None),
    line("ten plugins, cold", ("ten plugins, cold, one core", PORTKEEPER), None),
    line("known name", ("known name", PORT_FOR), Some(0.1)),
    line("known name", ("nothing", TRUE), None),
    line("pick -n 1000", ("pick -n 10", PORTKEEPER), Some(3.0)),
];

/// The medians and their ratios, with a mark where there is a budget.
pub(crate) fn timings(times: &Times) -> String {
    let mut text = String::from("median of portkeeper, beside what it is measured against\n");
    let _ = writeln!(
        text,
        "{:<22} {:>11}   {:<34} {:>11} {:>8} {:>8}",
        "case", "time", "against", "time", "ratio", "budget"
    );
    for Line { case, against, budget } in &LINES {
        let Some(ours) = times.median((case, PORTKEEPER)) else { continue };
        let (what, program) = against;
        let _ = write!(text, "{case:<22} {:>11}   {:<34} ", milliseconds(ours), format!("{program}: {what}"));
        let Some(theirs) = times.median(*against) else {
            text.push_str("not measured\n");
            continue;
        };
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        let budget = match budget {
            Some(most) => format!("{most:>8.2}  {}", if ratio <= *most { "ok" } else { "OVER" }),
            None => String::new(),
        };
        let _ = writeln!(text, "{:>11} {ratio:>8.3} {budget}", milliseconds(theirs));
    }
    text
}

/// The size of the binary, and the peak of resident memory. That of `/bin/true` is what any process has.
pub(crate) fn sizes(bench: &Bench) -> String {
    let binary = fs::metadata(Bench::portkeeper_path()).expect("the binary").len();
    let mut text = format!("binary, stripped: {:.1} MB\npeak memory\n", binary as f64 / 1e6);
    let mut peak = |what: &str, run: &Run<'_>| {
        let _ = writeln!(text, "  {what:<34} {:>6.1} MB", peak_memory(run) as f64 * 1024.0 / 1e6);
    };
    let home = Bench::home();
    peak("/bin/true", &home.program("/bin/true"));
    peak("reserve", &bench.reserve(&home));
    in_new_project(bench, &home, |run| peak("prepare, empty cache", run));
    in_new_project(bench, &home, |run| peak("prepare", run));
    let mut ten = |what: &str, home: &Sandbox| {
        formats::in_new_project(bench, home, |run| {
            peak(what, run);
            run.ok()
        });
    };
    let built_in = formats::home(Source::BuiltIn);
    ten("prepare, ten formats, cold", &built_in);
    ten("prepare, ten formats", &built_in);
    let plugins = formats::home(Source::Plugins);
    ten("prepare, ten plugins, cold", &plugins);
    ten("prepare, ten plugins", &plugins);
    text
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

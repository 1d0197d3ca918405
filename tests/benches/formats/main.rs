//! How the formats scale: what a rendering takes of CPU time, instructions and memory, by the file's lines and the map's keys; and what
//! compiling a format takes, once a machine and release.
//!
//! `cargo bench --profile dev -p portkeeper-tests --bench formats` measures, and writes the table and the plot of
//! `docs/src/reference/formats-speed.md`. With `-- --print` it only prints, and
//! with `-- --print yaml` only what `yaml` takes. It stops in time: where one size takes too long or meets a limit,
//! larger ones are not tried.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's answer is what it prints")]

mod files;
mod page;
mod plot;

use std::time::Duration;

use portkeeper::output::entries;
use portkeeper::plugins::{Catalogue, Engine, Limits, Plugin, RenderError, Request, Sources, TextFile, Usage};

use portkeeper_tests::builtin::{self, FORMATS};
use rustix::time::{ClockId, clock_gettime};

use crate::files::{KEYS, LINES, TYPES};

/// A size that takes longer is the last of its series.
const LONGEST: Duration = Duration::from_secs(20);

/// How often a quick one is measured; the median counts.
const ROUNDS: usize = 5;

/// What one size of one format took.
#[derive(Debug, Clone)]
struct Measured {
    format: &'static str,
    lines: usize,
    keys: usize,
    result: Result<Taken, String>,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    time: Duration,
    fuel: u64,
    memory: usize,
}

/// What the component of a format takes before its first rendering.
#[derive(Debug, Clone, Copy)]
struct Compiled {
    format: &'static str,
    bytes: u64,
    time: Duration,
}

fn main() {
    let engine = Engine::new(None, Limits::default());
    let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
    let mut all = Vec::new();
    let words: Vec<_> = std::env::args().skip(1).filter(|word| TYPES.contains(&word.as_str())).collect();
    for format in TYPES.into_iter().filter(|format| words.is_empty() || words.iter().any(|word| word == format)) {
        let plugin = catalogue.find(format).expect("a built-in format");
        for keys in KEYS {
            eprintln!("measuring: {format}, {keys} keys");
            for lines in LINES {
                let result = measure(&plugin, format, lines, keys);
                let is_last = result.as_ref().map_or(true, |taken| taken.time > LONGEST);
                all.push(Measured { format, lines, keys, result });
                if is_last {
                    break;
                }
            }
        }
    }
    let table = page::table(&all);
    println!("{table}");
    let compiled = if words.is_empty() { page::compiled(&FORMATS.map(compile)) } else { String::new() };
    println!("{compiled}");
    if words.is_empty() && !std::env::args().any(|word| word == "--print") {
        page::write(&table, &compiled, &plot::svg(&all));
    }
}

/// The CPU time so far: of this thread, which renders, or of the process, whose threads compile.
fn cpu_time(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("a time since the start")
}

/// Compiles a built-in format as a machine without a cache does it.
fn compile(format: &'static str) -> Compiled {
    // A type goes by underscores, too.
    let name = format.replace('-', "_");
    let mut times: Vec<_> = (0..ROUNDS)
        .map(|_| {
            let engine = Engine::new(None, Limits::default());
            let before = cpu_time(ClockId::ProcessCPUTime);
            let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
            catalogue.find(&name).expect("a built-in format");
            cpu_time(ClockId::ProcessCPUTime) - before
        })
        .collect();
    times.sort();
    let component = builtin::component_path(&builtin::root(), format);
    let bytes = component.metadata().expect("the component").len();
    Compiled { format, bytes, time: times[times.len() / 2] }
}

fn measure(plugin: &Plugin, format: &str, lines: usize, keys: usize) -> Result<Taken, String> {
    let request = request(format, lines, keys);
    let render = || {
        let before = cpu_time(ClockId::ThreadCPUTime);
        let (rendered, usage) = plugin.measure(&request);
        match rendered {
            Ok(rendered) if rendered.files[0].text.contains("18431") => {
                Ok((cpu_time(ClockId::ThreadCPUTime) - before, usage))
            }
            Ok(_) => panic!("{format}: nothing was written"),
            Err(RenderError::Failed(failure)) => Err(failure.message),
            Err(error) => Err(error.to_string()),
        }
    };
    let (mut times, mut last) = (Vec::new(), Usage::default());
    while times.len() < ROUNDS && times.iter().sum::<Duration>() < Duration::from_secs(1) {
        let (time, usage) = render()?;
        times.push(time);
        last = usage;
    }
    times.sort();
    Ok(Taken { time: times[times.len() / 2], fuel: last.fuel, memory: last.memory })
}

fn request(format: &str, lines: usize, keys: usize) -> Request {
    let (text, map) = files::file(format, lines, keys);
    Request {
        entries: entries(&map),
        map: serde_json::to_string(&map).expect("JSON"),
        target: TextFile { path: "file".to_owned(), text: Some(text) },
        options: "{}".to_owned(),
        ..Request::default()
    }
}

//! Whether a change costs the everyday commands something: two programs in turn, and the ratio of what they take.
//!
//! `PORTKEEPER_BEFORE=OLD PORTKEEPER_UNDER_TEST=NEW cargo bench --profile dev -p portkeeper-tests --bench before [-- ROUNDS]` takes the
//! programs by their paths, such as two builds of the profile `dist`. CPU time is the steadier of the two figures. It decides nothing.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark's answer is what it prints")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use portkeeper_tests::{Ports, Programs, Run, Sandbox, Usage};
use serde_json::json;

/// Rounds of each command, if not said.
const ROUNDS: usize = 101;

/// A program in a home of its own.
struct Side {
    home: Sandbox,
    ports: Ports,
}

/// What the rounds of a case took.
#[derive(Default)]
struct Taken {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

type Case = (&'static str, fn(&Side, &mut Taken));

const CASES: [Case; 8] = [
    ("reserve", |side, taken| {
        let port = taken.time(&side.run(&format!("reserve --port {}", side.ports.first()))).port();
        let _ = side.run(&format!("release {port}")).ok();
    }),
    ("reserve, any port", |side, taken| {
        let port = taken.time(&side.run("reserve")).port();
        let _ = side.run(&format!("release {port}")).ok();
    }),
    ("port NAME", |side, taken| drop(taken.time(&side.run("port WEB_PORT")))),
    ("status", |side, taken| drop(taken.time(&side.run("status")))),
    ("prepare again", |side, taken| drop(taken.time(&side.run("prepare")))),
    ("run -- true", |side, taken| drop(taken.time(&side.run(&format!("run --port {} -- true", side.ports.at(2)))))),
    ("adopt: bind of the port", |side, taken| side.cost(taken, 0)),
    ("adopt: bind of another", |side, taken| side.cost(taken, 1)),
];

impl Side {
    fn new(program: &str) -> Self {
        let programs = Programs { portkeeper: program.to_owned().leak(), stand_in: env!("CARGO_BIN_EXE_stand-in") };
        let (home, ports) = (Sandbox::new(programs), Ports::take(4));
        let config = json!({
            "ports": [{ "key": "WEB_PORT", "preferred": ports.at(1) }],
            "outputs": [
                { "type": "env" },
                { "type": "json", "map": { "url": "http://localhost:${WEB_PORT}" } },
                { "type": "runtime_js", "map": { "url": "http://localhost:${WEB_PORT}" } },
            ],
        });
        home.write("pk.config.json", config.to_string());
        let _ = home.portkeeper("prepare").ok();
        Self { home, ports }
    }

    fn run(&self, words: &str) -> Run<'_> {
        self.home.portkeeper(words)
    }

    /// What one of the calls takes that the stand-in makes under `run`; it measures them itself, in nanoseconds.
    fn cost(&self, taken: &mut Taken, call: usize) {
        let (port, stand_in) = (self.ports.at(3), self.home.stand_in_path());
        let words = format!("run --quiet --handover adopt --port {port} -- {stand_in} cost 127.0.0.1:{port}");
        let outcome = self.run(&words).ok();
        let nanoseconds = outcome.stdout.split_whitespace().nth(call).and_then(|number| number.parse().ok());
        taken.wall.push(Duration::from_nanos(nanoseconds.expect("nanoseconds")));
    }
}

impl Taken {
    fn time(&mut self, run: &Run<'_>) -> portkeeper_tests::Outcome {
        let (cpu, start) = (Usage::of_children().cpu, Instant::now());
        let outcome = run.ok();
        self.wall.push(start.elapsed());
        self.cpu.push(Usage::of_children().cpu - cpu);
        outcome
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn line(name: &str, figure: &str, before: &mut [Duration], after: &mut [Duration]) {
    let (before, after) = (median(before), median(after));
    if !before.is_zero() {
        let ratio = after.as_secs_f64() / before.as_secs_f64();
        println!("{name:<24} {figure:<5} {before:>10.1?} -> {after:>10.1?}  {ratio:.3}");
    }
}

fn main() -> ExitCode {
    let program = |name| std::env::var(name).map_err(|_| name);
    let (before, after) = match (program("PORTKEEPER_BEFORE"), program("PORTKEEPER_UNDER_TEST")) {
        (Ok(before), Ok(after)) => (Side::new(&before), Side::new(&after)),
        (Err(name), _) | (_, Err(name)) => {
            eprintln!("error: {name} has to name a program");
            return ExitCode::from(2);
        }
    };
    let rounds = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(ROUNDS);
    for (name, case) in CASES {
        let (mut old, mut new) = (Taken::default(), Taken::default());
        for round in 0..rounds {
            // Neither is always the second.
            if round % 2 == 0 {
                case(&before, &mut old);
                case(&after, &mut new);
            } else {
                case(&after, &mut new);
                case(&before, &mut old);
            }
        }
        line(name, "wall", &mut old.wall, &mut new.wall);
        line(name, "CPU", &mut old.cpu, &mut new.cpu);
    }
    ExitCode::SUCCESS
}

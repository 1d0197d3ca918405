//! Stops a command at each system call that takes a path below its project, and swaps something there.
//!
//! An attacker who may write in a project but not elsewhere must gain nothing by a command that runs in it: nothing outside of the project
//! is read into a file of it, or written. Here the attacker is as fast as can be: a [`Point`] is one of those calls and one [`Swap`], which
//! is there when the call is made, and stays or is gone by the next one.

mod field;
mod swap;

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::symlink;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use crate::Programs;
use crate::injection::Choice;
use crate::trace::{Action, trace};

pub use field::Field;
pub use swap::Swap;

/// The commands that read or write files of a project. What a user names on the command line is consent: `--env-path` is not the swapped
/// one.
pub const COMMANDS: [&str; 4] =
    ["prepare", "prepare --diff --dry-run", "reserve --write-env PORT --env-path link.env", "port web"];

/// One call of a command, and what is swapped there.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// The command.
    pub command: &'static str,
    /// Which of the calls, from 1.
    pub nth: usize,
    /// What is swapped.
    pub swap: Swap,
    /// Whether it is put back at the next call.
    pub back: bool,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let back = if self.back { ", and back at the next" } else { "" };
        write!(f, "{}: {:?} at call {}{back}", self.command, self.swap, self.nth)
    }
}

/// What has come of it.
#[derive(Debug, Default)]
pub struct Report {
    /// How many points there are.
    pub points: usize,
    /// How many were run, by command and call.
    pub run: BTreeMap<(&'static str, &'static str), usize>,
    /// How many calls were not met.
    pub missed: usize,
    /// What has escaped.
    pub escapes: Vec<String>,
}

/// Runs the points that the choice says, on all processors.
///
/// # Panics
/// When the project cannot be made, or a command fails that nothing disturbs.
#[must_use]
pub fn run(programs: Programs, choice: Choice) -> Report {
    let points = all_points(programs, choice.seed);
    let until = Instant::now() + choice.time;
    let report = Mutex::new(Report { points: points.len(), ..Report::default() });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut field = Field::new(programs);
        while let Some(point) = points[..points.len().min(choice.count)].get(next.fetch_add(1, Ordering::Relaxed)) {
            if Instant::now() > until {
                break;
            }
            let (call, escapes) = run_point(&field, point);
            if !escapes.is_empty() {
                field = Field::new(programs);
            }
            let mut report = report.lock().expect("no thread panics with it");
            match call {
                Some(call) => *report.run.entry((point.command, call)).or_default() += 1,
                None => report.missed += 1,
            }
            report.escapes.extend(escapes);
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, Into::into)).for_each(|_| drop(scope.spawn(work)));
    });
    report.into_inner().expect("no thread panics with it")
}

/// Every point, in an order that the seed says.
fn all_points(programs: Programs, seed: u64) -> Vec<Point> {
    let mut points = Vec::new();
    for command in COMMANDS {
        let field = Field::new(programs);
        field.reset();
        let mut calls = 0;
        let undisturbed = trace(&field.run(command), |call| {
            calls += usize::from(field.is_met(call));
            Action::Go
        });
        assert_eq!(undisturbed.outcome.code(), Some(0), "{}", undisturbed.outcome);
        assert_eq!(field.escapes(&undisturbed.outcome, None), [""; 0]);
        let swaps = Swap::all().into_iter().flat_map(|swap| [(swap, false), (swap, true)]);
        points.extend(swaps.flat_map(|(swap, back)| (1..=calls).map(move |nth| Point { command, nth, swap, back })));
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut points);
    points
}

/// Gives the call that was met, and what has escaped.
fn run_point(field: &Field, point: &Point) -> (Option<&'static str>, Vec<String>) {
    field.reset();
    let (mut count, mut met) = (0, None);
    let traced = trace(&field.run(point.command), |call| {
        if field.is_met(call) {
            count += 1;
            if count == point.nth {
                met = Some((call.name, call.to_string()));
                point.swap.make(field);
            } else if count == point.nth + 1 && point.back {
                point.swap.undo(field);
            }
        }
        Action::Go
    });
    let mut escapes = field.escapes(&traced.outcome, Some(point.swap));
    if traced.timed_out {
        escapes.push("it hangs".to_owned());
    }
    let (name, call) = met.unzip();
    let call = call.unwrap_or_default();
    let say = |escape: String| format!("{point} ({call}): {escape}\n{}", traced.outcome);
    (name, escapes.into_iter().map(say).collect())
}

/// Looks at each system call of a command, of whatever file, whether another user could open private text of the project. Gives how many
/// there were, and where they could.
///
/// # Panics
/// When the command fails.
#[must_use]
pub fn look_as_another_user(field: &Field, command: &str) -> (usize, Vec<String>) {
    field.reset();
    let (mut calls, mut found) = (0, vec![]);
    let traced = trace(&field.run(command), |call| {
        calls += 1;
        let open = field.open_to_others();
        if !open.is_empty() {
            found.push(format!("before {call}: {open:?}"));
        }
        Action::Go
    });
    assert_eq!(traced.outcome.code(), Some(0), "{}", traced.outcome);
    (calls, found)
}

/// Exchanges a directory of the project with a link to one outside, as fast as can be, while commands run. Gives how many ran, and what has
/// escaped.
///
/// # Panics
/// When the project cannot be made, or nothing can be exchanged.
#[must_use]
pub fn swap_meanwhile(field: &Field, time: Duration) -> (usize, Vec<String>) {
    let (until, is_over) = (Instant::now() + time, AtomicBool::new(false));
    let (mut runs, mut escapes) = (0, vec![]);
    thread::scope(|scope| {
        while Instant::now() < until && escapes.is_empty() {
            field.reset();
            let project = field.project();
            symlink(field.outside(), project.join("other")).expect("a link");
            is_over.store(false, Ordering::Relaxed);
            let swapper = scope.spawn(|| {
                let (one, other) = (field.project().join("sub"), field.project().join("other"));
                while !is_over.load(Ordering::Relaxed) {
                    renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).expect("both are there");
                }
            });
            let outcome = field.run(COMMANDS[runs % 3]).run();
            is_over.store(true, Ordering::Relaxed);
            swapper.join().expect("the swapper");
            runs += 1;
            escapes = field.escapes(&outcome, None);
        }
    });
    (runs, escapes)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = COMMANDS.iter().map(|command| command.len()).max().unwrap_or_default();
        for ((command, call), run) in &self.run {
            writeln!(f, "{command:width$}  {call:12}  {run:5} run")?;
        }
        self.escapes.iter().try_for_each(|escape| writeln!(f, "\nESCAPE {escape}"))?;
        let run: usize = self.run.values().sum();
        write!(f, "{run} of {} points run, {} more not met, {} escapes", self.points, self.missed, self.escapes.len())
    }
}

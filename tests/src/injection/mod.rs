//! Makes one system call after the other fail, and looks whether the promises still hold.
//!
//! A [`Case`] is a command in a world of its own: a user with reservations, a live hold, and a project. A first run that nothing disturbs
//! counts the calls; each of them, with each error that fits it, and with the end of the process, is a [`Point`]. A point is run in the
//! same world, and then looked at: no port is reserved twice, no live hold has ended, nothing that was acknowledged is lost, exit code and
//! words are true.

mod case;
mod check;
mod errors;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Programs;
use crate::trace::{Action, Call, Traced, trace};

pub use case::Case;
pub use errors::Fault;
use world::World;

/// One call of one command, and what happens to it.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// What is run.
    pub case: Case,
    /// The call's name.
    pub call: &'static str,
    /// Which of the calls with this name, from 1.
    pub nth: usize,
    /// What happens to it.
    pub fault: Fault,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} no. {} {}", self.case.name, self.call, self.nth, self.fault)
    }
}

/// Which points are run.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// Orders the points.
    pub seed: u64,
    /// After this long no other point is begun.
    pub time: Duration,
    /// How many points at most.
    pub count: usize,
}

/// What has come of it.
#[derive(Debug, Default)]
pub struct Report {
    /// How many points there are.
    pub points: usize,
    /// How many were run.
    pub run: usize,
    /// How many of them were not met: another order of threads, another candidate.
    pub missed: usize,
    /// How many by command and call: run, and in how many of them the command failed.
    pub by_call: BTreeMap<(&'static str, &'static str), (usize, usize)>,
    /// The promises that were broken.
    pub broken: Vec<String>,
}

/// Runs the points that the choice says, on all processors.
///
/// # Panics
/// When a world cannot be made.
#[must_use]
pub fn run(programs: Programs, choice: Choice, case: impl Fn(&Case) -> bool) -> Report {
    let until = Instant::now() + choice.time;
    let points = all_points(programs, choice.seed, case);
    let report = Mutex::new(Report { points: points.len(), ..Report::default() });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut world = World::new(programs);
        while let Some(point) = points[..points.len().min(choice.count)].get(next.fetch_add(1, Ordering::Relaxed)) {
            if Instant::now() > until {
                break;
            }
            let came = run_point(&mut world, point);
            let mut report = report.lock().expect("no thread panics with it");
            report.add(point, came);
        }
    };
    thread::scope(|scope| {
        (0..thread::available_parallelism().map_or(1, Into::into)).for_each(|_| drop(scope.spawn(work)));
    });
    report.into_inner().expect("no thread panics with it")
}

/// Every point of these cases, in an order that the seed says.
fn all_points(programs: Programs, seed: u64, case: impl Fn(&Case) -> bool) -> Vec<Point> {
    let mut points = Vec::new();
    for case in case::all().into_iter().filter(case) {
        let mut world = World::new(programs);
        // The first run compiles what later ones find in the cache.
        let _ = world.run(&case).run();
        world.reset();
        let mut counts = BTreeMap::<&'static str, usize>::new();
        let undisturbed = trace(&world.run(&case), |call| {
            let nth = counts.entry(call.name).or_default();
            *nth += 1;
            points.extend(errors::that_fit(call).map(|fault| Point { case, call: call.name, nth: *nth, fault }));
            Action::Go
        });
        let broken = check::broken_promises(&world, &case, &undisturbed, None);
        assert!(broken.is_empty(), "without a fault: {broken:?}\n{}", undisturbed.outcome);
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut points);
    points
}

/// What has come of one point.
struct Came {
    /// The call that failed; none when it was not met.
    failed: Option<String>,
    is_refused: bool,
    broken: Vec<String>,
}

fn run_point(world: &mut World, point: &Point) -> Came {
    world.reset();
    let (mut count, mut failed) = (0, None);
    let fail = |call: &Call| {
        count += usize::from(call.name == point.call);
        if failed.is_some() || count < point.nth || call.name != point.call {
            return Action::Go;
        }
        failed = Some(call.to_string());
        point.fault.action()
    };
    let traced: Traced = trace(&world.run(&point.case), fail);
    let is_refused = traced.outcome.code() != Some(0);
    let broken = check::broken_promises(world, &point.case, &traced, failed.as_ref().map(|_| point.fault));
    Came {
        is_refused,
        broken: broken.into_iter().map(|promise| format!("{promise}\n{}", traced.outcome)).collect(),
        failed,
    }
}

impl Report {
    fn add(&mut self, point: &Point, came: Came) {
        self.run += 1;
        let Some(call) = came.failed else {
            self.missed += 1;
            return;
        };
        let count = self.by_call.entry((point.case.name, point.call)).or_default();
        count.0 += 1;
        count.1 += usize::from(came.is_refused);
        self.broken.extend(came.broken.into_iter().map(|broken| format!("{point} ({call}): {broken}")));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { points, run, missed, by_call, broken } = self;
        let width = by_call.keys().map(|(case, _)| case.len()).max().unwrap_or_default();
        for ((case, call), (run, refused)) in by_call {
            writeln!(f, "{case:width$}  {call:14}  {run:5} run  {refused:5} refused")?;
        }
        broken.iter().try_for_each(|broken| writeln!(f, "\nBROKEN {broken}"))?;
        write!(f, "{run} of {points} points run, {missed} of them not met, {} broken promises", broken.len())
    }
}

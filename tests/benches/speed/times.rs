//! Timings, collected by case and program.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use portkeeper_tests::{Outcome, Run};

/// Which timings belong together: a case, and the program that was timed.
pub(crate) type Series = (&'static str, &'static str);

/// All timings of this run.
#[derive(Debug, Default)]
pub(crate) struct Times(BTreeMap<Series, Vec<Duration>>);

impl Times {
    /// Times one run, from its start until it has ended and all it printed is read. It has to succeed.
    pub(crate) fn time(&mut self, series: Series, run: &Run<'_>) -> Outcome {
        self.record(series, || run.ok())
    }

    /// Times anything else.
    pub(crate) fn record<T>(&mut self, series: Series, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let answer = work();
        self.add(series, start.elapsed());
        answer
    }

    /// Takes a time that the program itself has measured.
    pub(crate) fn add(&mut self, series: Series, time: Duration) {
        self.0.entry(series).or_default().push(time);
    }

    /// The median; none when the series was not measured.
    pub(crate) fn median(&self, series: Series) -> Option<Duration> {
        let mut times = self.0.get(&series)?.clone();
        times.sort_unstable();
        times.get(times.len() / 2).copied()
    }
}

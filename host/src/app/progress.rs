//! How far a scan has come, on a terminal.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::scan;

/// A user who has to wait longer than this wants to know why.
const QUIET: Duration = Duration::from_millis(250);

/// A bar on stderr, if that is a terminal. It goes away when it is dropped.
pub(crate) struct ScanProgress {
    bar: ProgressBar,
    started: Instant,
    shown: bool,
}

impl ScanProgress {
    pub(crate) fn new(quiet: bool) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        // A template that is wrong shows in the first run of any test on a terminal.
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {msg}") {
            bar.set_style(style);
        }
        Self { bar, started: Instant::now(), shown: quiet || !io::stderr().is_terminal() }
    }

    pub(crate) fn update(&mut self, progress: &scan::Progress) {
        let elapsed = self.started.elapsed();
        if !self.shown && elapsed >= QUIET {
            self.shown = true;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let scan::Progress { addresses, of_addresses, hosts, ports, of_ports, probes } = *progress;
        // An address that is asked stands for a few ports: what it leads to is not known before.
        let (done, all) = (addresses + ports, of_addresses + of_ports);
        self.bar.set_length(all);
        self.bar.set_position(done);
        let rate = probes as f64 / elapsed.as_secs_f64().max(0.001);
        self.bar.set_message(format!(
            "{addresses}/{of_addresses} addresses, {hosts} hosts, {probes} probes, {rate:.0}/s, {}",
            time_left(elapsed, done, all)
        ));
    }
}

impl Drop for ScanProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn time_left(elapsed: Duration, done: u64, all: u64) -> String {
    if done == 0 || done >= all {
        return "waiting for late answers".to_owned();
    }
    let left = elapsed.as_secs_f64() * (all - done) as f64 / done as f64;
    format!("{} s left", left.ceil())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_takes_as_long_as_what_was_done() {
        assert_eq!(time_left(Duration::from_secs(10), 100, 200), "10 s left");
        assert_eq!(time_left(Duration::from_secs(10), 200, 200), "waiting for late answers");
    }
}

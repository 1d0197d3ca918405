//! What the timings were taken on.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;

use crate::times::Times;

/// Cores, kernel, and what the disk takes for a durable write: the figures that explain the others.
pub(crate) fn description() -> String {
    let mut text = String::new();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let _ = writeln!(text, "machine: {cores} cores, {} {}", std::env::consts::OS, kernel.trim());
    let times = sync_times();
    for what in ["file", "directory"] {
        let median = times.median((what, "sync")).unwrap_or_default();
        let _ = writeln!(text, "sync of a {what}: {:.2} ms", median.as_secs_f64() * 1e3);
    }
    text
}

/// The two syncs of an atomic write, of 4 KiB.
fn sync_times() -> Times {
    let mut times = Times::default();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    for _ in 0..21 {
        let mut file = File::create(&new).expect("a file");
        file.write_all(&[b'x'; 4096]).expect("a write");
        times.record(("file", "sync"), || file.sync_all()).expect("a sync");
        fs::rename(&new, &old).expect("a rename");
        let handle = File::open(directory.path()).expect("a directory");
        times.record(("directory", "sync"), || handle.sync_all()).expect("a sync");
    }
    times
}

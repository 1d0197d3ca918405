//! Words and numbers that several of these commands print.

use std::time::Duration;

use crate::plugins::{Kind, Origin};

/// Where a plugin comes from, in one word.
pub(super) fn origin(origin: &Origin) -> &'static str {
    match origin {
        Origin::BuiltIn(_) => "built-in",
        Origin::Explicit(_) => "config",
        Origin::Project(_) => "project",
        Origin::User(_) => "user",
        Origin::File(_) => "file",
    }
}

pub(super) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Component => "component",
        Kind::Module => "core module",
    }
}

/// A size for people: `832 B`, `23.4 KiB`, `1.5 MiB`.
pub(super) fn size(bytes: usize) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes < 1024.0 => format!("{bytes} B"),
        _ if bytes < 1024.0 * 1024.0 => format!("{:.1} KiB", bytes / 1024.0),
        _ => format!("{:.1} MiB", bytes / (1024.0 * 1024.0)),
    }
}

/// A time for people: `0.04 ms`, `58 ms`, `1.2 s`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        _ if seconds < 0.001 => format!("{:.2} ms", seconds * 1e3),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        assert_eq!((size(832), size(23_962), size(1_572_864)), ("832 B".into(), "23.4 KiB".into(), "1.5 MiB".into()));
        assert_eq!(time(Duration::from_micros(40)), "0.04 ms");
        assert_eq!(
            (time(Duration::from_millis(58)), time(Duration::from_millis(1_234))),
            ("58 ms".into(), "1.2 s".into())
        );
    }
}

//! The commands whose calls fail.

/// A command, and what it may do.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What reports call it.
    pub name: &'static str,
    /// Its arguments. `RANGE`, `KEPT`, `TIMED` and `HELD` stand for what the world has.
    pub(super) words: &'static str,
    pub(super) does: Does,
}

/// What a command does when all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Answers with a port that was not reserved before.
    Reserve,
    /// The same, and writes it into files of the project.
    Write,
    /// The same, and leaves a process that holds it.
    Hold,
    /// Answers with a port that is reserved already.
    Find,
    /// Forgets what has ended.
    Collect,
    /// Gives back the port with this name in the world.
    Release(Which),
}

/// A port of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Kept,
    Timed,
    Held,
}

pub(super) fn all() -> Vec<Case> {
    let case = |name, words, does| Case { name, words, does };
    vec![
        case("reserve", "reserve --ttl 1h --range RANGE", Does::Reserve),
        case("port NEW", "port new --range RANGE", Does::Reserve),
        case("port KNOWN", "port kept", Does::Find),
        case("prepare", "prepare", Does::Write),
        case("reserve --write-env", "reserve --write-env PORT --range RANGE", Does::Write),
        case("reserve --hold", "reserve --hold --ttl 1h --range RANGE", Does::Hold),
        case("gc", "gc", Does::Collect),
        case("release NAME", "release kept", Does::Release(Which::Kept)),
        case("release PORT", "release TIMED", Does::Release(Which::Timed)),
        case("release HELD", "release HELD", Does::Release(Which::Held)),
    ]
}

//! A rendering that takes more than a plugin may: which file it was about, how large it is, and what the limit is.

use std::fmt;

use thiserror::Error;

use super::sandbox::Excess;
use super::text::grouped;
use super::{LogLine, Origin, Request, limits};

/// A rendering that needs more than it may take, or more than the system gives.
#[derive(Debug, Error)]
#[error("{}", self.told())]
pub struct OverLimit {
    /// Where the plugin comes from.
    pub origin: Origin,
    /// What was asked of it.
    pub request: RequestSize,
    /// What it logged before.
    pub log: Vec<LogLine>,
    excess: Excess,
}

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The files or the map are too large: the user.
    Request,
    /// They are small, so the plugin takes too much for them: its author.
    Plugin,
    /// The limits would allow it, and the system has nothing left.
    System,
}

/// How much a plugin was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestSize {
    /// The target's path.
    pub path: String,
    /// The lines of all files that the plugin sees.
    pub lines: usize,
    /// How many files that are.
    pub files: usize,
    /// The map's keys, at all depths.
    pub keys: usize,
    /// The bytes of all texts.
    bytes: usize,
}

impl RequestSize {
    pub(super) fn of(request: &Request) -> Self {
        let files = || [&request.target].into_iter().chain(&request.inputs).filter_map(|file| file.text.as_deref());
        let context = || request.attrs.iter().filter(|(name, _)| name.starts_with("file:")).map(|(_, text)| &**text);
        let texts = || files().chain(context());
        Self {
            path: request.target.path.clone(),
            lines: texts().map(|text| text.lines().count()).sum(),
            files: texts().count(),
            keys: request.entries.len(),
            bytes: texts().map(str::len).sum::<usize>() + request.map.len() + request.options.len(),
        }
    }
}

/// `out.yaml` (50,000 lines, 1,000 keys)
impl fmt::Display for RequestSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}", self.path, counted(self.lines as u64, "line"))?;
        if self.files > 1 {
            write!(f, " in {} files", self.files)?;
        }
        write!(f, ", {})", counted(self.keys as u64, "key"))
    }
}

impl OverLimit {
    pub(super) fn new(origin: Origin, request: &Request, excess: Excess, log: Vec<LogLine>) -> Self {
        Self { origin, request: RequestSize::of(request), log, excess }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn cause(&self) -> Cause {
        match self.excess {
            Excess::NoMemory => Cause::System,
            _ if self.request.bytes < limits::SMALL_REQUEST => Cause::Plugin,
            _ => Cause::Request,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self.cause() {
            Cause::Request => "write into a smaller file, or give the output fewer keys in its `map`",
            Cause::Plugin if self.origin.is_built_in() => "please report it, with the file and the config",
            Cause::Plugin => "its author can see what each call takes with `portkeeper plugin test`",
            Cause::System => "free memory, or raise the limit that this process runs under",
        }
    }

    fn told(&self) -> String {
        let Self { origin, request, excess, .. } = self;
        match self.cause() {
            Cause::Request => format!("{request} is too large for {origin}: {excess}"),
            Cause::Plugin | Cause::System => format!("{origin} cannot render {request}: {excess}"),
        }
    }
}

/// `1 line`, `50,000 lines`.
fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::TextFile;

    fn request(lines: usize, inputs: usize) -> Request {
        let file = |path: &str| TextFile { path: path.to_owned(), text: Some("key: value\n".repeat(lines)) };
        Request {
            entries: vec![("a".into(), "1".into())],
            target: file("out.yaml"),
            inputs: (0..inputs).map(|_| file("in.yaml")).collect(),
            ..Request::default()
        }
    }

    fn over(request: &Request, excess: Excess) -> OverLimit {
        OverLimit::new(Origin::BuiltIn("yaml"), request, excess, Vec::new())
    }

    #[test]
    fn a_large_request_is_too_large_and_a_small_one_is_the_plugins_matter() {
        let large = over(&request(50_000, 0), Excess::Fuel(20_000_000_000));
        assert_eq!(large.cause(), Cause::Request);
        assert_eq!(
            large.to_string(),
            "`out.yaml` (50,000 lines, 1 key) is too large for the built-in plugin `yaml`: it did not finish within \
             20,000 million instructions, the limit"
        );
        let small = over(&request(1, 0), Excess::Memory { wanted: (70 << 20) + 1 });
        assert_eq!(small.cause(), Cause::Plugin);
        assert_eq!(
            small.to_string(),
            "the built-in plugin `yaml` cannot render `out.yaml` (1 line, 1 key): it needs 71 MiB of memory, more than the limit \
             of 64 MiB"
        );
        assert_eq!(over(&request(50_000, 0), Excess::NoMemory).cause(), Cause::System);
    }

    #[test]
    fn all_files_that_the_plugin_sees_are_counted() {
        let mut request = request(10, 2);
        request.attrs.push(("file:.env".into(), "A=1\nB=2\n".into()));
        request.attrs.push(("missing-file:x".into(), String::new()));
        assert_eq!(RequestSize::of(&request).to_string(), "`out.yaml` (32 lines in 4 files, 1 key)");
    }
}

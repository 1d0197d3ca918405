//! Lines for the user who asked to see more (`portkeeper -v`). What everybody should see is a
//! [`Diagnostic`](crate::Diagnostic).
//!
//! On other targets than WebAssembly the lines are collected per thread, and a test takes them with `take`.

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// For the plugin's author.
    Debug,
    /// What happened.
    Info,
    /// Probably not what the user wants.
    Warn,
    /// What went wrong.
    Error,
}

impl Level {
    /// The word that the interface uses.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Hands a line to the host.
pub fn emit(level: Level, message: &str) {
    sink::emit(level, message);
}

/// A line for the plugin's author.
pub fn debug(message: &str) {
    emit(Level::Debug, message);
}

/// A line about what happened.
pub fn info(message: &str) {
    emit(Level::Info, message);
}

#[cfg(target_arch = "wasm32")]
mod sink {
    pub(super) fn emit(level: super::Level, message: &str) {
        crate::guest::bindings::portkeeper::output::log::emit(level.as_str(), message);
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use sink::take;

#[cfg(not(target_arch = "wasm32"))]
mod sink {
    use std::cell::RefCell;

    use super::Level;

    thread_local! {
        static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn emit(level: Level, message: &str) {
        LINES.with_borrow_mut(|lines| lines.push((level, message.to_owned())));
    }

    /// The lines of this thread since the last call. Only where there is no host.
    #[must_use]
    pub fn take() -> Vec<(Level, String)> {
        LINES.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_collected_where_there_is_no_host() {
        info("one");
        debug("two");
        assert_eq!(take(), [(Level::Info, "one".to_owned()), (Level::Debug, "two".to_owned())]);
        assert!(take().is_empty());
    }
}

//! What this process may have open.

/// What other things need: the runtime, files, standard streams.
#[cfg(unix)]
const OTHERS: usize = 64;

/// More attempts in parallel gain nothing.
const MOST: usize = 4096;

/// Raises the limit of open files as far as this user may, and says how many sockets that leaves (getrlimit(2)).
#[cfg(unix)]
pub(super) fn sockets() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let raised = limit.current != limit.maximum
        && setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).is_ok();
    let files = if raised { limit.maximum } else { limit.current };
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    usable(files)
}

/// Windows has no such limit.
#[cfg(windows)]
pub(super) fn sockets() -> usize {
    MOST
}

/// Of very few files, half.
#[cfg(unix)]
fn usable(files: usize) -> usize {
    files.saturating_sub(OTHERS).max(files / 2).clamp(1, MOST)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn something_is_left_for_others() {
        assert_eq!(usable(1 << 20), MOST);
        assert_eq!(usable(1024), 960);
        assert_eq!(usable(64), 32);
        assert_eq!(usable(2), 1);
    }
}

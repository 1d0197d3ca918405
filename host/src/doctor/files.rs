//! The files that portkeeper keeps.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Finding;
use crate::fs::{Lock, LockError, LockOptions, PathError, can_write_in, describe, is_on_network};
use crate::os::inspect;
use crate::registry::{FileStore, Snapshot, Store};

/// How long a lock may be held before it counts as stuck. A change of the registry takes milliseconds.
const USUAL: Duration = Duration::from_secs(1);

/// Whether the registry can be read, whether it is whole, and whether it is the user's alone. The snapshot is what the checks of its
/// reservations need.
#[must_use]
pub fn registry(store: &FileStore<'_>) -> (Vec<Finding>, Option<Snapshot>) {
    const ABOUT: &str = "registry";
    let path = store.path();
    let snapshot = match store.snapshot() {
        Ok(snapshot) => snapshot,
        Err(error) => {
            let remedy = match error.start_over() {
                Some(ways) => format!("to start over: {ways}"),
                None => format!("see to its owner and mode, or choose another registry: ls -l {}", path.display()),
            };
            return (vec![Finding::problem(ABOUT, error.to_string(), remedy)], None);
        }
    };
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => {
            let nothing = format!("{} is not there yet: nothing is reserved", path.display());
            return (vec![Finding::ok(ABOUT, nothing)], Some(snapshot));
        }
        Err(source) => return (vec![unreadable(ABOUT, path, source)], Some(snapshot)),
    }
    let mut findings: Vec<_> = snapshot
        .notices()
        .iter()
        .map(|notice| {
            Finding::problem(ABOUT, notice.to_string(), "any change of the registry repairs it: portkeeper gc")
        })
        .collect();
    findings.extend(open_to_others(ABOUT, path));
    let damaged = damaged_copies(path);
    if let Some(first) = damaged.first() {
        let what = format!("{} damaged former registries are kept, {} the first", damaged.len(), first.display());
        findings.push(Finding::note(
            ABOUT,
            what,
            format!("when you need nothing of them: rm {}.damaged-*", path.display()),
        ));
    }
    if findings.is_empty() {
        let count = snapshot.reservations().len();
        findings.push(Finding::ok(
            ABOUT,
            format!("{}, {count} {}", path.display(), if count == 1 { "reservation" } else { "reservations" }),
        ));
    }
    (findings, Some(snapshot))
}

/// Whether the registry's lock can be had, and which process has it if not.
#[must_use]
pub fn lock(store: &FileStore<'_>) -> Finding {
    const ABOUT: &str = "lock";
    let path = store.lock_path();
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Finding::ok(ABOUT, "the registry has never been locked"),
        Err(source) => return unreadable(ABOUT, path, source),
    }
    match Lock::acquire(path, &LockOptions { timeout: USUAL, announce: &|_| () }) {
        Ok(_) => Finding::ok(ABOUT, "free"),
        Err(LockError::Timeout { waiting, .. }) => {
            let command = waiting.holder.and_then(inspect::command);
            let what = format!(
                "{waiting}{}, for longer than a change takes",
                command.map(|name| format!(" ({name})")).unwrap_or_default()
            );
            let remedy = match waiting.holder {
                Some(pid) => format!("if that process hangs: kill {pid}"),
                None => {
                    "end the process that has it, perhaps in another container; the file itself may stay".to_owned()
                }
            };
            Finding::problem(ABOUT, what, remedy)
        }
        Err(LockError::File(error)) => {
            Finding::problem(ABOUT, error.to_string(), format!("see to its owner and mode: ls -l {}", path.display()))
        }
    }
}

/// What helps when the registry cannot be written in its directory.
#[must_use]
pub fn unwritable(directory: &Path) -> String {
    format!(
        "{} cannot be written; keep the registry elsewhere: --registry FILE (or PORTKEEPER_REGISTRY), XDG_STATE_HOME, in a systemd unit \
         StateDirectory=portkeeper",
        directory.display()
    )
}

/// Whether the directory of the registry can be written, and is on a file system where locks and renames can be relied on.
#[must_use]
pub fn state_directory(store: &FileStore<'_>) -> Option<Finding> {
    const ABOUT: &str = "state directory";
    let directory = store.path().parent()?;
    let shown = directory.display();
    if let Err(error) = can_write_in(directory) {
        return Some(Finding::problem(ABOUT, format!("{shown}: {}", describe(&error)), unwritable(directory)));
    }
    if !directory.exists() {
        return Some(Finding::ok(ABOUT, format!("{shown} is not there yet, and can be made")));
    }
    if is_on_network(directory) {
        return Some(Finding::problem(
            ABOUT,
            format!(
                "{shown} is on a network file system: a lock may not reach other machines, and each has ports of its own"
            ),
            "keep it on this machine: set XDG_STATE_HOME or PORTKEEPER_REGISTRY to a local directory",
        ));
    }
    Some(open_to_others(ABOUT, directory).unwrap_or_else(|| Finding::ok(ABOUT, shown.to_string())))
}

/// Whether compiled plugins can be kept. Without a cache every prepare compiles them anew.
#[must_use]
pub fn cache(directory: &Path) -> Finding {
    const ABOUT: &str = "plugin cache";
    let shown = directory.display();
    match directory.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(ABOUT, format!("{shown} is not there yet"))
        }
        Err(error) => Finding::problem(
            ABOUT,
            format!("{shown}: {}", describe(&error)),
            "see to its owner and mode, or set XDG_CACHE_HOME",
        ),
        Ok(metadata) if !metadata.is_dir() => {
            Finding::problem(ABOUT, format!("{shown} is no directory"), format!("move it away: mv {shown} {shown}.old"))
        }
        Ok(_) => owner_finding(ABOUT, directory).unwrap_or_else(|| Finding::ok(ABOUT, shown.to_string())),
    }
}

fn unreadable(about: &'static str, path: &Path, source: std::io::Error) -> Finding {
    Finding::unreadable(about, &PathError { path: path.to_owned(), source })
}

fn damaged_copies(path: &Path) -> Vec<PathBuf> {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return Vec::new() };
    let entries = path.parent().and_then(|directory| directory.read_dir().ok()).into_iter().flatten().flatten();
    let mut copies: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}.damaged-")))
        .map(|entry| entry.path())
        .collect();
    copies.sort();
    copies
}

/// Whether another user could read or change it.
#[cfg(unix)]
fn open_to_others(about: &'static str, path: &Path) -> Option<Finding> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match path.metadata() {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(source) => return Some(unreadable(about, path, source)),
    };
    let shown = path.display();
    let remedy = format!("chmod go= {shown}");
    owner_finding(about, path).or_else(|| match mode & 0o077 {
        0 => None,
        _ if mode & 0o022 != 0 => {
            Some(Finding::problem(about, format!("{shown} can be changed by others (mode {mode:03o})"), remedy))
        }
        _ => Some(Finding::note(about, format!("{shown} can be read by others (mode {mode:03o})"), remedy)),
    })
}

#[cfg(unix)]
fn owner_finding(about: &'static str, path: &Path) -> Option<Finding> {
    use std::os::unix::fs::MetadataExt;
    let owner = match path.metadata() {
        Ok(metadata) => metadata.uid(),
        Err(source) => return Some(unreadable(about, path, source)),
    };
    let user = inspect::current_user()?;
    let shown = path.display();
    (owner != user).then(|| {
        Finding::problem(
            about,
            format!("{shown} belongs to {}, but this is {}", inspect::user_text(owner), inspect::user_text(user)),
            "under sudo use `sudo -H`, or give it back to its user with chown",
        )
    })
}

#[cfg(not(unix))]
fn open_to_others(_: &'static str, _: &Path) -> Option<Finding> {
    None
}

#[cfg(not(unix))]
fn owner_finding(_: &'static str, _: &Path) -> Option<Finding> {
    None
}

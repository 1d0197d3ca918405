//! What can be found out about a process, fact by fact: each call reads what it is asked for and no more.
//!
//! A process may end between two calls, and one of another user reveals little. So every answer may be none.

mod container;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "others.rs"]
mod platform;

use std::ffi::OsString;
use std::path::PathBuf;

use jiff::Timestamp;

pub use container::Container;

/// How long a chain of parents may be. Longer ones are not followed to their end.
const LONGEST_CHAIN: usize = 64;

/// Its name, as the kernel has it: at most 15 bytes on Linux (`/proc/PID/comm`, proc_pid_comm(5)).
#[must_use]
pub fn command(pid: u32) -> Option<String> {
    platform::command(pid)
}

/// Its arguments, the program's own name first. Empty for a thread of the kernel.
#[must_use]
pub fn command_line(pid: u32) -> Option<Vec<String>> {
    platform::command_line(pid)
}

/// The directory that it works in.
#[must_use]
pub fn working_directory(pid: u32) -> Option<PathBuf> {
    platform::working_directory(pid)
}

/// The effective user.
#[must_use]
pub fn user(pid: u32) -> Option<u32> {
    platform::user(pid)
}

/// What the user with this number is called, wherever users are kept (getpwuid(3)).
#[must_use]
pub fn user_name(uid: u32) -> Option<String> {
    #[cfg(unix)]
    return uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned());
    #[cfg(not(unix))]
    return Some(uid).and(None);
}

/// A user by name and number, `anna (uid 1000)`, or by number alone.
#[must_use]
pub fn user_text(uid: u32) -> String {
    user_name(uid).map_or_else(|| uid.to_string(), |name| format!("{name} (uid {uid})"))
}

/// The effective user of this process; none where users have no numbers.
#[must_use]
pub fn current_user() -> Option<u32> {
    #[cfg(unix)]
    return Some(rustix::process::geteuid().as_raw());
    #[cfg(not(unix))]
    return None;
}

/// When it was started, by the wall clock of now.
#[must_use]
pub fn started(pid: u32) -> Option<Timestamp> {
    platform::started(pid)
}

/// The process that started it, or that took it over when that one ended.
#[must_use]
pub fn parent_of(pid: u32) -> Option<u32> {
    platform::parent_of(pid)
}

/// Its parent, the parent of that one, and so on, as far as they can be seen.
#[must_use]
pub fn ancestors(pid: u32) -> Vec<u32> {
    let mut chain = Vec::new();
    let mut next = parent_of(pid);
    while let Some(parent) = next.filter(|parent| chain.len() < LONGEST_CHAIN && !chain.contains(parent)) {
        chain.push(parent);
        next = parent_of(parent);
    }
    chain
}

/// The processes that it has started and that still run.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    platform::children(pid)
}

/// What the environment that it was started with says of the variable; none where it does not, or this user may not see it.
#[must_use]
pub fn variable(pid: u32, name: &str) -> Option<OsString> {
    platform::variable(pid, name)
}

/// Whether it is this process, or one that this one comes from.
#[must_use]
pub fn is_self_or_ancestor(pid: u32) -> bool {
    let me = std::process::id();
    pid == me || ancestors(me).contains(&pid)
}

/// The container that it runs in; none outside of containers, and for one that this process runs in as well.
#[must_use]
pub fn container(pid: u32) -> Option<Container> {
    let of = |groups: Option<String>| Container::from_control_groups(&groups?);
    let theirs = of(platform::control_groups(pid))?;
    (of(platform::control_groups(std::process::id())).as_ref() != Some(&theirs)).then_some(theirs)
}

/// The name of its program's file, which a process cannot choose as it can its own name; none where this user may not see it.
#[must_use]
pub fn program(pid: u32) -> Option<String> {
    platform::program(pid)
}

/// Whether it speaks for containers: an engine, what an engine starts for each container, or what listens for one. The program's file
/// decides. Only where that cannot be seen the process' own name has to do.
#[must_use]
pub fn speaks_for_containers(pid: u32) -> bool {
    program(pid).or_else(|| command(pid)).is_some_and(|name| container::is_container_program(&name))
}

/// The id of the container that a `conmon` watches, in short; none for every other program.
#[must_use]
pub fn watched_container(pid: u32) -> Option<String> {
    program(pid).filter(|program| program == "conmon")?;
    container::watched_container(&command_line(pid)?)
}

/// Whether it manages services, and keeps sockets for them: pid 1, and those that have a process of their own for it.
#[must_use]
pub fn manages_services(pid: u32) -> bool {
    const MANAGERS: [&str; 9] =
        ["systemd", "init", "launchd", "dinit", "runsv", "runsvdir", "s6-supervise", "s6-svscan", "s6-fdholderd"];
    pid == 1 || program(pid).is_some_and(|name| MANAGERS.contains(&name.as_str()))
}

/// Whether the user is one of those that it runs as: real, effective, saved, or of the file system.
#[must_use]
pub fn runs_as(pid: u32, uid: u32) -> bool {
    platform::runs_as(pid, uid)
}

/// Whether it is, or was started by, a service of systemd.
#[must_use]
pub fn is_service(pid: u32) -> bool {
    platform::control_groups(pid).is_some_and(|groups| groups.lines().any(|group| group.contains(".service")))
}

/// Whether it runs the same program file as this process.
#[must_use]
pub fn runs_our_program(pid: u32) -> bool {
    platform::runs_our_program(pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_knows_itself() {
        let me = std::process::id();
        assert!(command(me).is_some_and(|name| !name.is_empty()));
        assert!(command_line(me).unwrap()[0].contains("portkeeper"));
        assert_eq!(working_directory(me), std::env::current_dir().ok());
        assert_eq!(user(me), current_user());
        assert_eq!(container(me), None, "the container that we are in as well is not told");
        assert!(runs_our_program(me));
        let age = Timestamp::now().duration_since(started(me).unwrap()).as_secs();
        assert!((-2..3_600).contains(&age), "{age}");
    }

    #[test]
    fn parents_lead_upwards_and_end() {
        let chain = ancestors(std::process::id());
        assert_eq!(chain.first().copied(), crate::os::parent().map(|parent| parent.pid));
        assert!(chain.len() < LONGEST_CHAIN);
    }

    #[test]
    fn of_a_process_that_is_not_there_nothing_is_told() {
        let nobody = u32::MAX;
        assert_eq!((command(nobody), command_line(nobody), working_directory(nobody)), (None, None, None));
        assert_eq!((user(nobody), started(nobody), parent_of(nobody)), (None, None, None));
        assert!(!runs_our_program(nobody) && ancestors(nobody).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_user_has_a_name() {
        assert_eq!(user_name(0).as_deref(), Some("root"));
        assert_eq!(user_name(u32::MAX - 7), None);
    }
}

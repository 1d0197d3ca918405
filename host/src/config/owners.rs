//! Whose configs are used without being named.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::os::inspect::current_user;

/// Whose configs a search may find. A config chooses what is written where, from variables of the environment, so that of another user in a
/// shared directory may be a trap.
///
/// Always: the user's own, and root's. What is a stranger's is one's own all the same in a directory that the user trusts.
#[derive(Debug, Clone)]
pub struct Owners {
    /// The user that this process runs as; none where users have no numbers.
    own: Option<u32>,
    /// The user who became root by sudo(8).
    before_sudo: Option<u32>,
    everywhere: bool,
    directories: Vec<Trusted>,
}

#[derive(Debug, Clone)]
struct Trusted {
    directory: PathBuf,
    /// Only what lies below it.
    below: bool,
}

impl Default for Owners {
    /// The user's own, and root's.
    fn default() -> Self {
        Self { own: current_user(), before_sudo: None, everywhere: false, directories: Vec::new() }
    }
}

impl Owners {
    /// What the variables `SUDO_UID` and `PORTKEEPER_TRUSTED_DIRECTORIES` say.
    ///
    /// The second is a list as `PATH` is one. Each entry is an absolute path; `*` is every directory, and `/builds/*` each one below
    /// `/builds`. `SUDO_UID` counts for root alone: others could give themselves any.
    #[must_use]
    pub fn of_variables(sudo_uid: Option<&OsStr>, trusted: Option<&OsStr>) -> Self {
        let entries: Vec<_> = trusted.into_iter().flat_map(std::env::split_paths).collect();
        let (all, directories): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry == Path::new("*"));
        let own = current_user();
        Self {
            own,
            before_sudo: sudo_uid.and_then(OsStr::to_str).and_then(|uid| uid.parse().ok()).filter(|_| own == Some(0)),
            everywhere: !all.is_empty(),
            directories: directories.into_iter().filter(|entry| entry.is_absolute()).map(Trusted::new).collect(),
        }
    }

    /// All users: for a directory that the user has named.
    #[must_use]
    pub fn everyone() -> Self {
        Self { everywhere: true, ..Self::default() }
    }

    /// Whether a user's files are taken for one's own.
    #[must_use]
    pub(super) fn include(&self, uid: u32) -> bool {
        uid == 0 || Some(uid) == self.before_sudo || self.own.is_none_or(|own| own == uid)
    }

    /// Whether every user's configs in the directory are taken.
    #[must_use]
    pub(super) fn trust(&self, directory: &Path) -> bool {
        if self.everywhere || self.directories.is_empty() {
            return self.everywhere;
        }
        let real = directory.canonicalize();
        let directory = real.as_deref().unwrap_or(directory);
        self.directories.iter().any(|trusted| trusted.includes(directory))
    }
}

impl Trusted {
    fn new(entry: PathBuf) -> Self {
        let below = entry.file_name().is_some_and(|last| last == "*");
        let directory = if below { entry.parent().map(Path::to_owned) } else { None }.unwrap_or(entry);
        Self { directory: directory.canonicalize().unwrap_or(directory), below }
    }

    fn includes(&self, directory: &Path) -> bool {
        if self.below {
            directory.starts_with(&self.directory) && directory != self.directory
        } else {
            directory == self.directory
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn trusting(list: &str) -> Owners {
        Owners::of_variables(None, Some(OsStr::new(list)))
    }

    #[test]
    fn a_list_trusts_what_it_names_and_nothing_beside() {
        let owners = trusting("/srv/shop:/builds/*:relative");
        for path in ["/srv/shop", "/builds/a", "/builds/a/b"] {
            assert!(owners.trust(Path::new(path)), "{path}");
        }
        for path in ["/srv", "/srv/shop/web", "/srv/shop-2", "/builds", "/builds-2/a", "/", "relative"] {
            assert!(!owners.trust(Path::new(path)), "{path}");
        }
        assert!(trusting("/x:*").trust(Path::new("/anything")));
        assert!(!trusting("").trust(Path::new("/anything")));
    }

    #[test]
    fn an_entry_may_lead_through_links() {
        let base = tempfile::tempdir().unwrap();
        let (real, link) = (base.path().join("real"), base.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(trusting(link.to_str().unwrap()).trust(&real));
        assert!(trusting(&format!("{}/*", link.display())).trust(&real.join("below")));
    }

    #[test]
    fn the_user_before_sudo_counts_for_root_only() {
        let own = rustix::process::geteuid().as_raw();
        let other = own + 4242;
        let owners = Owners::of_variables(Some(OsStr::new(&other.to_string())), None);
        assert_eq!(owners.include(other), own == 0);
        assert!(owners.include(own) && owners.include(0) && !owners.include(other + 1));
        assert!(!Owners::of_variables(Some(OsStr::new("x")), None).include(other));
    }
}

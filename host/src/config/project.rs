//! Which project a directory is in.

use std::path::{Path, PathBuf};

use super::find::{ProjectPlace, find_project};
use super::{ConfigError, Owners};

/// The directory of the project that `start` is in: the one with the config that a prepare would take, else the root of the
/// version-control worktree; none when there is neither. `start` should be absolute.
///
/// # Errors
/// As [`super::find()`]: a prepare in the same place would be refused, too.
pub fn project_directory(start: &Path, owners: &Owners) -> Result<Option<PathBuf>, ConfigError> {
    Ok(match find_project(start, owners)? {
        ProjectPlace::Config(config) => Some(config.directory().to_owned()),
        ProjectPlace::Worktree(root) => Some(root.to_owned()),
        ProjectPlace::None => None,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn project_directory(start: &Path) -> Result<Option<PathBuf>, ConfigError> {
        super::project_directory(start, &Owners::default())
    }

    #[test]
    fn the_configs_directory_else_the_worktrees_root() {
        let base = tempfile::tempdir().unwrap();
        let (root, service) = (base.path().join("repo"), base.path().join("repo/services/api"));
        let below = service.join("src");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir(root.join(".git")).unwrap();
        assert_eq!(project_directory(&below).unwrap().unwrap(), root);
        fs::write(service.join("pk.config.yaml"), "ports: []").unwrap();
        assert_eq!(project_directory(&below).unwrap().unwrap(), service);
        assert_eq!(project_directory(&root).unwrap().unwrap(), root);
    }

    #[test]
    fn two_configs_in_one_directory_are_an_error_here_as_in_a_prepare() {
        let base = tempfile::tempdir().unwrap();
        for name in ["pk.config.json", "pk.config.yaml"] {
            fs::write(base.path().join(name), "").unwrap();
        }
        assert!(project_directory(base.path()).is_err());
    }
}

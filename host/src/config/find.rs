//! Where the config of a directory is.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use crate::fs::is_worktree_root;
use crate::model::Project;

/// The config in `start` or the nearest directory above it, up to the root of the version-control worktree; none when there is none.
/// `start` should be absolute: a relative directory is not left.
///
/// A worktree inside of another one is a project of its own: what lies above its root is another branch, or another repository.
///
/// # Errors
/// [`Problem::Ambiguous`] when one directory has two. [`Problem::ForeignOwner`] when the one that was found above `start` belongs neither
/// to the owner of `start` nor to root: in a directory that everyone may write to, like /tmp, it may be a trap.
pub fn find(start: &Path) -> Result<Option<PathBuf>, ConfigError> {
    for directory in within_worktree(start) {
        let mut names = Vec::new();
        for name in Project::CONFIGS {
            if is_file(&directory.join(name))? {
                names.push(name);
            }
        }
        match *names {
            [] => {}
            [name] => return trusted(start, directory, directory.join(name)).map(Some),
            [first, second, ..] => {
                return Err(ConfigError::new(directory, Problem::Ambiguous { first, second }));
            }
        }
    }
    Ok(None)
}

/// Whether there is such a file. One that is not shown to this user is none; but a look that fails says nothing, and another config must
/// not be taken for this one.
fn is_file(path: &Path) -> Result<bool, ConfigError> {
    match path.metadata() {
        Ok(found) => Ok(found.is_file()),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied) =>
        {
            Ok(false)
        }
        Err(error) => Err(ConfigError::new(path, Problem::Unreadable(error))),
    }
}

/// A config above the root of the worktree that `start` is in, which [`find`] passes over; none when there is none, or no worktree.
#[must_use]
pub fn find_above_worktree(start: &Path) -> Option<PathBuf> {
    let above = start.ancestors().skip(within_worktree(start).count());
    above.flat_map(|directory| Project::CONFIGS.map(|name| directory.join(name))).find(|config| config.is_file())
}

/// The directories from `start` up to the root of its worktree, or to the root of the file system.
fn within_worktree(start: &Path) -> impl Iterator<Item = &Path> {
    let mut below = None;
    start.ancestors().take_while(move |&directory| {
        let leaves = below.replace(directory).is_some_and(is_worktree_root);
        !leaves && directory != Path::new("")
    })
}

fn trusted(start: &Path, directory: &Path, config: PathBuf) -> Result<PathBuf, ConfigError> {
    let owner = |path: &Path| std::fs::metadata(path).ok().as_ref().and_then(owner);
    let theirs = owner(&config).filter(|_| directory != start);
    match theirs {
        Some(other) if other != 0 && owner(start) != Some(other) => {
            Err(ConfigError::new(&config, Problem::ForeignOwner(start.to_owned())))
        }
        _ => Ok(config),
    }
}

/// The owner's user id, where the platform has one.
#[cfg(unix)]
fn owner(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::uid(metadata))
}

#[cfg(not(unix))]
fn owner(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_is_found_here_and_upwards() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let config = root.path().join("pk.config.yml");
        std::fs::create_dir(root.path().join("a/pk.config.json")).unwrap();
        std::fs::write(&config, "").unwrap();
        assert_eq!(find(&deep).unwrap(), Some(config));
        std::fs::write(root.path().join("pk.config.json"), "").unwrap();
        let error = find(&deep).unwrap_err().to_string();
        assert!(error.contains("pk.config.json and pk.config.yml are both here"), "{error}");
        let near = deep.join("pk.config.json");
        std::fs::write(&near, "").unwrap();
        assert_eq!(find(&deep).unwrap(), Some(near));
    }

    #[test]
    fn the_search_ends_at_the_root_of_the_worktree() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("worktree/src");
        std::fs::create_dir_all(&deep).unwrap();
        let (above, mark) = (root.path().join("pk.config.yml"), root.path().join("worktree/.git"));
        std::fs::write(&above, "").unwrap();
        assert_eq!((find(&deep).unwrap(), find_above_worktree(&deep)), (Some(above.clone()), None));
        std::fs::write(&mark, "gitdir: ../.git/worktrees/worktree\n").unwrap();
        assert_eq!((find(&deep).unwrap(), find_above_worktree(&deep)), (None, Some(above)));
        let own = root.path().join("worktree/pk.config.json");
        std::fs::write(&own, "").unwrap();
        assert_eq!(find(&deep).unwrap(), Some(own));
    }

    #[cfg(unix)]
    #[test]
    fn a_config_that_another_user_put_above_is_no_trap() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let config = root.path().join("pk.config.json");
        std::fs::write(&config, "").unwrap();
        if std::os::unix::fs::chown(&config, Some(4242), None).is_err() {
            crate::skip::skipped("this user may not give a file away");
            return;
        }
        assert!(matches!(find(&home).unwrap_err().problem, Problem::ForeignOwner(_)));
        assert_eq!(find(root.path()).unwrap(), Some(config), "in the directory itself it was asked for");
    }
}

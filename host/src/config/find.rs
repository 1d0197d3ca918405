//! Where the config of a directory is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use super::found::Found;
use super::owners::Owners;
use crate::fs::is_worktree_root;
use crate::model::Project;

/// The config in `start` or the nearest directory above it, up to the root of the version-control worktree, open; none when there is none.
/// `start` should be absolute and without symbolic links, as the current directory is: a relative directory is not left, and through a link
/// nothing is opened.
///
/// A worktree inside of another one is a project of its own: what lies above its root is another branch, or another repository.
///
/// # Errors
/// [`Problem::Ambiguous`] when one directory has two. [`Problem::ForeignOwner`] when it, its directory or a link to it is neither the user's
/// nor root's, as far as `owners` make no exception: in a directory that others may write to, like /tmp, it may be a trap.
pub fn find(start: &Path, owners: &Owners) -> Result<Option<Found>, ConfigError> {
    for directory in within_worktree(start) {
        let mut names = Vec::new();
        for name in Project::CONFIGS {
            if is_file(&directory.join(name))? {
                names.push(name);
            }
        }
        match *names {
            [] => {}
            [name] => return Found::searched(directory, name, owners).map(Some),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn find(start: &Path) -> Result<Option<PathBuf>, ConfigError> {
        Ok(super::find(start, &Owners::default())?.map(|found| found.path().to_owned()))
    }

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
}

//! Where the config of a directory is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem};
use super::found::Found;
use super::owners::Owners;
use crate::fs::{PathError, is_worktree_root, worktree_root};
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
    Ok(match find_project(start, owners)? {
        ProjectPlace::Config(config) => Some(config),
        ProjectPlace::Worktree(_) | ProjectPlace::None => None,
    })
}

/// What makes a directory, or one above it, a project.
#[derive(Debug)]
pub enum ProjectPlace<'a> {
    /// A config.
    Config(Found),
    /// No config, but this is the root of a worktree.
    Worktree(&'a Path),
    /// Nothing does.
    None,
}

/// As [`find()`], and without a config the root of the worktree, from one walk.
///
/// # Errors
/// As [`find()`].
pub fn find_project<'a>(start: &'a Path, owners: &Owners) -> Result<ProjectPlace<'a>, ConfigError> {
    for directory in start.ancestors().filter(|directory| *directory != Path::new("")) {
        if let Some(name) = config_in(directory)? {
            return Found::searched(directory, name, owners).map(ProjectPlace::Config);
        }
        if is_worktree_root(directory).map_err(unseen)? {
            return Ok(ProjectPlace::Worktree(directory));
        }
    }
    Ok(ProjectPlace::None)
}

/// The name of the config in the directory itself, if there is one.
fn config_in(directory: &Path) -> Result<Option<&'static str>, ConfigError> {
    let mut names = Vec::new();
    for name in Project::CONFIGS {
        if is_file(&directory.join(name))? {
            names.push(name);
        }
    }
    match *names {
        [first, second, ..] => Err(ConfigError::new(directory, Problem::Ambiguous { first, second })),
        _ => Ok(names.first().copied()),
    }
}

/// Where the search could not look, its answer would be a guess.
fn unseen(PathError { path, source }: PathError) -> ConfigError {
    ConfigError::new(&path, Problem::Unseen(source))
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
    let above = worktree_root(start).ok()??.ancestors().skip(1);
    above.flat_map(|directory| Project::CONFIGS.map(|name| directory.join(name))).find(|config| config.is_file())
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

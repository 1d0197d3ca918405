//! Which project a directory belongs to.

use std::path::{Path, PathBuf};

use crate::fs::{PathContext, PathError, is_there, is_worktree_root};
use crate::model::Project;

/// The project that the directory belongs to: the nearest directory upward with a config, or that is the root of a version-control
/// worktree; none when there is neither, or when it cannot be seen. Nothing is opened, so it says nothing about whether a config can be
/// trusted.
#[must_use]
pub fn project_directory(start: &Path) -> Option<PathBuf> {
    for directory in start.ancestors() {
        if is_project(directory).ok()? {
            return Some(directory.to_owned());
        }
    }
    None
}

/// The directories whose names a user in a directory means: that directory, and those above it up to the first that is a project of its
/// own. (A name belongs to the directory of the file that it was written to, which may lie inside of a project.)
#[derive(Debug, Clone)]
pub struct Reach(Vec<Project>);

impl Reach {
    /// From the directory upward.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        // Above a directory that cannot be looked at, names may be another project's.
        let ends = |directory| is_project(directory).unwrap_or(true);
        let first = directory.ancestors().position(ends).unwrap_or(usize::MAX - 1);
        Self(directory.ancestors().take(first + 1).filter_map(|directory| Project::at(directory).ok()).collect())
    }

    /// How far up the project lies, 0 for the directory itself; none when its names are not meant here. A directory that was moved is the
    /// same project.
    #[must_use]
    pub fn distance(&self, project: &Project) -> Option<usize> {
        self.0.iter().position(|directory| directory.is_same(project))
    }

    /// Whether it is the project of the directory, or one of its names' directories: those above that are no project of their own, and
    /// all below the project that belong to it.
    #[must_use]
    pub fn includes(&self, project: &Project) -> bool {
        let ours = || Some(self.0.last()?.path.as_path());
        self.distance(project).is_some() || project_directory(&project.path).is_some_and(|root| ours() == Some(&root))
    }
}

/// The path as people write it who are in the directory `from`: `.`, `web`, `../shop-2`; elsewhere as it is.
#[must_use]
pub fn seen_from(path: &Path, from: &Path) -> String {
    if path == from {
        return ".".to_owned();
    }
    let below = path.strip_prefix(from).ok().map(Path::to_owned);
    let beside =
        || from.parent().filter(|parent| parent.parent().is_some()).and_then(|parent| path.strip_prefix(parent).ok());
    let near = below.or_else(|| beside().map(|rest| Path::new("..").join(rest)));
    near.unwrap_or_else(|| path.to_owned()).display().to_string()
}

fn is_project(directory: &Path) -> Result<bool, PathError> {
    for config in Project::CONFIGS.map(|name| directory.join(name)) {
        if is_there(&config).at(&config)? {
            return Ok(true);
        }
    }
    is_worktree_root(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_directories_are_written_short() {
        let seen = |path: &str| seen_from(Path::new(path), Path::new("/home/anna/shop"));
        assert_eq!(seen("/home/anna/shop"), ".");
        assert_eq!(seen("/home/anna/shop/web"), "web");
        assert_eq!(seen("/home/anna/shop-2"), "../shop-2");
        assert_eq!(seen("/srv/shop"), "/srv/shop");
        assert_eq!(seen_from(Path::new("/srv"), Path::new("/home")), "/srv");
    }

    #[test]
    fn a_config_makes_a_project_and_a_worktree_does_where_there_is_none() {
        let root = tempfile::tempdir().unwrap();
        let directory = |path: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (repository, package) = (directory("repository"), directory("repository/package/src"));
        assert_eq!(project_directory(&package), project_directory(root.path()));
        std::fs::write(repository.join(".git"), "gitdir: elsewhere").unwrap();
        assert_eq!(project_directory(&package), Some(repository.clone()));
        let is_in =
            |directory: &Path, project: &Path| Reach::of(directory).distance(&Project::at(project).unwrap()).is_some();
        assert!(is_in(&package, &repository));
        let inner = package.parent().unwrap();
        std::fs::write(inner.join("pk.config.json"), "{}").unwrap();
        assert_eq!(project_directory(&package).as_deref(), Some(inner));
        assert!(is_in(&package, inner) && !is_in(&package, &repository) && !is_in(&repository, inner));
        let before = Project::at(inner).unwrap();
        let moved = root.path().join("moved");
        std::fs::rename(inner, &moved).unwrap();
        if before.born.is_some() {
            assert_eq!(
                Reach::of(&moved.join("src")).distance(&before),
                Some(1),
                "a moved directory is the same project"
            );
        }
    }
}

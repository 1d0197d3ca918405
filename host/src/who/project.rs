//! Which project a folder belongs to.

use std::path::{Path, PathBuf};

/// What makes a folder a project: a config of ours.
const CONFIGS: [&str; 3] = ["pk.config.json", "pk.config.yaml", "pk.config.yml"];

/// What makes a folder the root of a version-control worktree. `.git` is a file in a linked worktree (gitrepository-layout(5)).
const WORKTREES: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// The project that the folder belongs to: the nearest folder upwards with a config, else the root of its version-control
/// worktree; none when there is neither. Nothing is opened, so it says nothing about whether a config can be trusted.
#[must_use]
pub fn project_folder(start: &Path) -> Option<PathBuf> {
    let nearest = |marks: &[&str]| start.ancestors().find(|folder| has_any(folder, marks)).map(Path::to_owned);
    nearest(&CONFIGS).or_else(|| nearest(&WORKTREES))
}

/// Whether the folder is the project's or one inside of it, and belongs to no other project that lies between.
#[must_use]
pub fn is_in(folder: &Path, project: &Path) -> bool {
    for each in folder.ancestors() {
        if each == project {
            return true;
        }
        if has_any(each, &CONFIGS) || has_any(each, &WORKTREES) {
            return false;
        }
    }
    false
}

/// The path as people write it who are in the folder `from`: `.`, `web`, `../shop-2`; elsewhere as it is.
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

fn has_any(folder: &Path, names: &[&str]) -> bool {
    names.iter().any(|name| folder.join(name).symlink_metadata().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_folders_are_written_short() {
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
        let folder = |path: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (repository, package) = (folder("repository"), folder("repository/package/src"));
        assert_eq!(project_folder(&package), project_folder(root.path()));
        std::fs::write(repository.join(".git"), "gitdir: elsewhere").unwrap();
        assert_eq!(project_folder(&package), Some(repository.clone()));
        assert!(is_in(&package, &repository));
        let inner = package.parent().unwrap();
        std::fs::write(inner.join("pk.config.json"), "{}").unwrap();
        assert_eq!(project_folder(&package).as_deref(), Some(inner));
        assert!(is_in(&package, inner) && !is_in(&package, &repository) && !is_in(&repository, inner));
    }
}

//! The worktrees of version control.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::{PathContext, PathError};

/// What stands at the root of a worktree: a directory, or for git's linked worktrees and submodules a file (gitrepository-layout(5)).
const MARKS: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// The root of the version-control worktree that the directory is in: the nearest directory, from `start` up, with one of the marks of
/// git, Mercurial, Jujutsu and Subversion. `start` should be absolute: a relative directory is not left.
///
/// # Errors
/// As [`is_worktree_root`].
pub fn worktree_root(start: &Path) -> Result<Option<&Path>, PathError> {
    for directory in start.ancestors().filter(|directory| *directory != Path::new("")) {
        if is_worktree_root(directory)? {
            return Ok(Some(directory));
        }
    }
    Ok(None)
}

/// Whether the directory itself is the root of a worktree.
///
/// # Errors
/// The system could not look, as when it is out of descriptors or memory: what is above may be another repository, or not.
pub fn is_worktree_root(directory: &Path) -> Result<bool, PathError> {
    for mark in MARKS.map(|mark| directory.join(mark)) {
        if is_there(&mark).at(&mark)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether there is something with this name, be it a link that leads to nothing. What is hidden from this user is not there.
///
/// # Errors
/// The system could not look, which says nothing.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(_) => Ok(true),
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_root_is_found_whatever_the_version_control() {
        let base = tempfile::tempdir().unwrap();
        for (index, mark) in MARKS.iter().enumerate() {
            let root = base.path().join(index.to_string());
            let below = root.join("src/deep");
            std::fs::create_dir_all(&below).unwrap();
            assert!(worktree_root(&below).unwrap().is_none_or(|found| !found.starts_with(base.path())));
            std::fs::create_dir(root.join(mark)).unwrap();
            assert_eq!(worktree_root(&below).unwrap(), Some(root.as_path()), "{mark}");
            assert_eq!(worktree_root(&root).unwrap(), Some(root.as_path()), "{mark}");
        }
    }

    #[test]
    fn a_linked_worktree_has_a_file_and_is_a_root_of_its_own() {
        let base = tempfile::tempdir().unwrap();
        let linked = base.path().join("feature");
        std::fs::create_dir_all(base.path().join(".git")).unwrap();
        std::fs::create_dir_all(&linked).unwrap();
        std::fs::write(linked.join(".git"), "gitdir: ../.git/worktrees/feature\n").unwrap();
        assert_eq!(worktree_root(&linked).unwrap(), Some(linked.as_path()));
        assert_eq!(worktree_root(base.path()).unwrap(), Some(base.path()));
    }

    /// A name that is too long to look at stands for every look that fails.
    #[test]
    fn a_look_that_fails_is_no_answer() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("a".repeat(300));
        assert!(is_worktree_root(&deep).is_err() && worktree_root(&deep).is_err());
        assert!(!is_worktree_root(&base.path().join("nothing")).unwrap(), "what is not there has no mark");
    }
}

//! The worktrees of version control.

use std::path::Path;

/// What stands at the root of a worktree: a directory, or for git's linked worktrees and submodules a file (gitrepository-layout(5)).
const MARKS: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// The root of the version-control worktree that the directory is in: the nearest directory, from `start` up, with one of the marks of
/// git, Mercurial, Jujutsu and Subversion. `start` should be absolute: a relative directory is not left.
#[must_use]
pub fn worktree_root(start: &Path) -> Option<&Path> {
    start.ancestors().filter(|directory| *directory != Path::new("")).find(|directory| is_worktree_root(directory))
}

/// Whether the directory itself is the root of a worktree.
#[must_use]
pub fn is_worktree_root(directory: &Path) -> bool {
    MARKS.iter().any(|mark| directory.join(mark).symlink_metadata().is_ok())
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
            assert!(worktree_root(&below).is_none_or(|found| !found.starts_with(base.path())));
            std::fs::create_dir(root.join(mark)).unwrap();
            assert_eq!(worktree_root(&below), Some(root.as_path()), "{mark}");
            assert_eq!(worktree_root(&root), Some(root.as_path()), "{mark}");
        }
    }

    #[test]
    fn a_linked_worktree_has_a_file_and_is_a_root_of_its_own() {
        let base = tempfile::tempdir().unwrap();
        let linked = base.path().join("feature");
        std::fs::create_dir_all(base.path().join(".git")).unwrap();
        std::fs::create_dir_all(&linked).unwrap();
        std::fs::write(linked.join(".git"), "gitdir: ../.git/worktrees/feature\n").unwrap();
        assert_eq!(worktree_root(&linked), Some(linked.as_path()));
        assert_eq!(worktree_root(base.path()), Some(base.path()));
    }
}

//! A project's identity.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The directory that names belong to: the one with `pk.config.*`, else the root of a version-control worktree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Project {
    /// The directory, absolute and without symbolic links.
    pub path: PathBuf,
    /// The device of the directory (`st_dev`, stat(2)); 0 where the platform has none.
    pub device: u64,
    /// The inode of the directory (`st_ino`, stat(2)); 0 where the platform has none.
    pub inode: u64,
    /// When the directory was created (`stx_btime`, statx(2)), where the file system records it. It distinguishes a moved directory from a
    /// new one that was given the same inode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub born: Option<Timestamp>,
    /// The device and inode of the parent directory when the project was recorded: as long as the parent is the same, a missing
    /// project is gone, and not just unmounted.
    pub parent: (u64, u64),
}

impl Project {
    /// The file names that a project's config is looked for under.
    pub const CONFIGS: [&str; 3] = ["pk.config.json", "pk.config.yaml", "pk.config.yml"];

    /// The project whose directory is `path`.
    ///
    /// # Errors
    /// What the system reports about the directory; a path that is not Unicode.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        let path = path.canonicalize()?;
        if path.to_str().is_none() {
            return Err(std::io::Error::other("a project's path has to be valid Unicode, for the registry is JSON"));
        }
        let metadata = path.metadata()?;
        let born = metadata.created().ok().and_then(|born| Timestamp::try_from(born).ok());
        let (device, inode) = identity(&metadata);
        let parent = path.parent().and_then(Self::identity_of).unwrap_or_default();
        Ok(Self { path, device, inode, born, parent })
    }

    /// The device and inode of a directory; none where it cannot be seen.
    #[must_use]
    pub fn identity_of(path: &Path) -> Option<(u64, u64)> {
        path.metadata().ok().map(|metadata| identity(&metadata))
    }

    /// Whether both are the same project: the same path, or the same directory under another path (moved, or mounted twice).
    ///
    /// A device number alone is no identity, because some file systems get a new one at every boot.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.path == other.path || self.is_same_directory(other)
    }

    /// Whether `other` is this directory under another path: it was moved there, or is mounted twice.
    #[must_use]
    pub fn has_moved_to(&self, other: &Self) -> bool {
        self.is_same_directory(other) && self.path != other.path
    }

    fn is_same_directory(&self, other: &Self) -> bool {
        self.inode != 0
            && self.born.is_some()
            && (self.device, self.inode, self.born) == (other.device, other.inode, other.born)
    }
}

#[cfg(unix)]
fn identity(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(path: &str, inode: u64, born: Option<i64>) -> Project {
        let born = born.map(|second| Timestamp::from_second(second).unwrap());
        Project { path: path.into(), device: 1, inode, born, parent: (1, 2) }
    }

    #[test]
    fn a_moved_directory_is_the_same_project() {
        assert!(project("/a", 7, Some(1)).is_same(&project("/b", 7, Some(1))));
    }

    #[test]
    fn a_new_directory_with_a_recycled_inode_is_not() {
        assert!(!project("/a", 7, Some(1)).is_same(&project("/b", 7, Some(2))));
        assert!(!project("/a", 7, None).is_same(&project("/b", 7, None)));
    }

    #[test]
    fn a_directory_made_again_at_its_old_path_is_the_same_project() {
        assert!(project("/a", 7, Some(1)).is_same(&project("/a", 8, Some(2))));
    }
}

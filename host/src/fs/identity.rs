//! Which file a file is, and whose.

use std::fs::Metadata;

/// Device and inode: the same file, wherever its path leads by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId {
    pub(super) device: u64,
    pub(super) inode: u64,
}

impl FileId {
    /// The file that the metadata is of, where files have numbers.
    #[cfg(unix)]
    #[must_use]
    pub fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// None: files have no numbers here.
    #[cfg(not(unix))]
    #[must_use]
    pub fn of(_: &Metadata) -> Option<Self> {
        None
    }
}

/// The owner's user id, where there are such.
#[cfg(unix)]
#[must_use]
pub fn owner_of(metadata: &Metadata) -> Option<u32> {
    Some(std::os::unix::fs::MetadataExt::uid(metadata))
}

/// None: users have no numbers here.
#[cfg(not(unix))]
#[must_use]
pub fn owner_of(_: &Metadata) -> Option<u32> {
    None
}

//! What is in some directories at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The files in some directories, with what is in them. A link's content is where it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    directories: Vec<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Snapshot {
    /// What is there now. A directory that is missing has no files.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn of(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        let directories: Vec<_> = directories.into_iter().collect();
        let mut files = BTreeMap::new();
        directories.iter().for_each(|directory| collect(directory, &mut files));
        Self { directories, files }
    }

    /// The files that were written, made or removed since.
    ///
    /// # Panics
    /// When a file cannot be read.
    #[must_use]
    pub fn changed(&self) -> BTreeSet<PathBuf> {
        let now = Self::of(self.directories.clone());
        let differ = |path: &&PathBuf| self.files.get(*path) != now.files.get(*path);
        self.files.keys().chain(now.files.keys()).filter(differ).cloned().collect()
    }

    /// Demands that everything is as it was. `after` is what happened in between.
    ///
    /// # Panics
    /// When a file was written, made or removed; names it.
    #[track_caller]
    pub fn assert_unchanged(&self, after: impl std::fmt::Display) {
        let changed = self.changed();
        assert!(changed.is_empty(), "changed after {after}: {changed:?}");
    }
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let Ok(metadata) = path.symlink_metadata() else { return };
    if metadata.is_dir() {
        let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries.for_each(|entry| collect(&entry.expect("an entry").path(), files));
    } else if metadata.is_symlink() {
        files.insert(path.to_owned(), fs::read_link(path).expect("a link").into_os_string().into_encoded_bytes());
    } else {
        files.insert(path.to_owned(), fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
}

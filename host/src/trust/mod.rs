//! What the user has said may be trusted: plugins that came with a repository, and targets outside of a project.
//!
//! It is kept in the user's own state, never in a project, because a project that could vouch for itself would be trusted on its own word.
//! A plugin is trusted by its path and its content: changed, it must be looked at anew.

mod error;
mod format;

use std::path::{Path, PathBuf};

use crate::fs::{Lock, LockOptions, PathContext, PathError, create_private_dir, read_private, write_atomic};
use crate::model::Digest;

pub use error::TrustError;
use format::Document;
pub use format::{TrustedPlugin, TrustedTarget};

/// The largest file of trust, in bytes.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What the user trusts, as one file says. A snapshot: a change through it is a change of the file as it is then.
#[derive(Debug, Clone)]
pub struct Trust {
    path: PathBuf,
    document: Document,
}

/// Everything that is trusted.
#[derive(Debug, Clone, Copy)]
pub struct Trusted<'a> {
    /// Plugins, in the order in which they were trusted.
    pub plugins: &'a [TrustedPlugin],
    /// Targets, in the order in which they were trusted.
    pub targets: &'a [TrustedTarget],
}

impl Trust {
    /// What the file says; nothing when there is none.
    ///
    /// # Errors
    /// The file cannot be read, is not the user's own, or is not what this version understands. It is never taken for an empty one.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let document = match read_private(path, LARGEST)? {
            Some(bytes) => Document::parse(&bytes, path)?,
            None => Document::default(),
        };
        Ok(Self { path: path.to_owned(), document })
    }

    /// Whether the user trusts this plugin with this content. Links in the path are followed.
    #[must_use]
    pub fn trusts_plugin(&self, path: &Path, digest: &Digest) -> bool {
        let path = canonical(path).unwrap_or_else(|_| path.to_owned());
        self.document.plugins.iter().any(|plugin| plugin.path == path && plugin.sha256 == *digest)
    }

    /// Whether the user lets configs of the project write this file outside of it. Links in both paths are followed.
    #[must_use]
    pub fn trusts_target(&self, project: &Path, target: &Path) -> bool {
        let project = canonical(project).unwrap_or_else(|_| project.to_owned());
        let target = canonical(target).unwrap_or_else(|_| target.to_owned());
        self.document.targets.iter().any(|trusted| trusted.path == target && trusted.project == project)
    }

    /// Everything that is trusted.
    #[must_use]
    pub fn list(&self) -> Trusted<'_> {
        Trusted { plugins: &self.document.plugins, targets: &self.document.targets }
    }

    /// Trusts a plugin as it is: this file with this content. What was trusted under its path before is trusted no more.
    ///
    /// # Errors
    /// The plugin is not there, or the file of trust cannot be read or written.
    pub fn add_plugin(&mut self, path: &Path, digest: &Digest, patience: &LockOptions<'_>) -> Result<(), TrustError> {
        let path = writable(canonical(path)?)?;
        self.change(patience, |document| {
            document.plugins.retain(|plugin| plugin.path != path);
            document.plugins.push(TrustedPlugin { path, sha256: *digest });
        })
    }

    /// Lets the configs of a project write a file outside of it. The file need not be there yet, its directory must.
    ///
    /// # Errors
    /// The project or the target's directory is not there, or the file of trust cannot be read or written.
    pub fn add_target(&mut self, project: &Path, target: &Path, patience: &LockOptions<'_>) -> Result<(), TrustError> {
        let target = TrustedTarget { project: writable(canonical(project)?)?, path: writable(canonical(target)?)? };
        self.change(patience, |document| {
            if !document.targets.contains(&target) {
                document.targets.push(target);
            }
        })
    }

    /// Trusts neither the plugin nor the target at this path any more; whether there was one. What it once led to may be gone.
    ///
    /// # Errors
    /// The file of trust cannot be read or written.
    pub fn remove(&mut self, path: &Path, patience: &LockOptions<'_>) -> Result<bool, TrustError> {
        let resolved = canonical(path).unwrap_or_else(|_| path.to_owned());
        let count = |document: &Document| document.plugins.len() + document.targets.len();
        let mut removed = false;
        self.change(patience, |document| {
            let before = count(document);
            document.plugins.retain(|plugin| plugin.path != resolved && plugin.path != path);
            document.targets.retain(|target| target.path != resolved && target.path != path);
            removed = count(document) < before;
        })?;
        Ok(removed)
    }

    /// Reads the file anew, changes what it says and writes it, and no other process can change it in between. Nothing is written when
    /// nothing changes.
    fn change(&mut self, patience: &LockOptions<'_>, change: impl FnOnce(&mut Document)) -> Result<(), TrustError> {
        if let Some(directory) = self.path.parent() {
            create_private_dir(directory)?;
        }
        let _lock = Lock::acquire(&self.path.with_extension("lock"), patience)?;
        let mut document = Self::load(&self.path)?.document;
        let before = document.clone();
        change(&mut document);
        if document != before {
            write_atomic(&self.path, &document.to_bytes(), Some(0o600))?;
        }
        self.document = document;
        Ok(())
    }
}

/// The path without links. Of a file that is not there yet, its directory's.
///
/// # Errors
/// What the system reports of the path, or of its directory.
pub fn canonical(path: &Path) -> Result<PathBuf, PathError> {
    let missing = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
    match path.canonicalize() {
        Err(error) if missing(&error) && !path.is_symlink() => {
            let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Err(error).at(path) };
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            Ok(directory.canonicalize().at(directory)?.join(name))
        }
        result => result.at(path),
    }
}

/// The path, if JSON can hold it.
fn writable(path: PathBuf) -> Result<PathBuf, TrustError> {
    if path.to_str().is_some() { Ok(path) } else { Err(TrustError::NotText(path)) }
}

#[cfg(test)]
mod tests;

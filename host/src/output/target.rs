//! Where an output may be written.
//!
//! A config can come with a repository that was cloned from anywhere. So what it names must lie inside its project when every
//! symbolic link is resolved, and not in the version control's directory, where a file can become a command (gitconfig(5), githooks(5)).
//! Exceptions are the user's.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::FileType;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::off_limits::is_version_control;
use crate::document::harmless;
use crate::fs::{Directory, FileId, MOST_LINKS, PathContext, PathError};

/// A file that an output may be written to, or an input may be read from. It need not exist, and neither need its directory.
#[derive(Debug, Clone)]
pub struct Target {
    /// The directory that it lies below, open: the project's, or one of its own where it is trusted outside.
    pub(super) root: Arc<Directory>,
    /// The way from there, with no link in it.
    pub(super) inside: PathBuf,
    pub(super) real: PathBuf,
    pub(super) shown: String,
}

/// Why a path cannot be a target.
#[derive(Debug, Error)]
pub enum TargetError {
    /// It leads out of the project.
    #[error(
        "`{shown}` leads to {}, outside of the project; if that is what you want, allow it with: portkeeper trust {}",
        .real.display(), .real.display()
    )]
    Outside {
        /// The path as the config writes it.
        shown: String,
        /// Where it leads.
        real: PathBuf,
    },
    /// It leads into the directory of a version control.
    #[error(
        "`{shown}` leads to {}, which belongs to the version control; if that is what you want, allow it with: portkeeper trust {}",
        .real.display(), .real.display()
    )]
    VersionControl {
        /// The path as the config writes it.
        shown: String,
        /// Where it leads.
        real: PathBuf,
    },
    /// It is not the path of a file.
    #[error("`{0}` is not the path of a file: {1}")]
    NotAPath(String, &'static str),
    /// There is something else than a file.
    #[error("`{0}` is {1}, not a file")]
    NotAFile(String, &'static str),
    /// Something on the way is not a directory.
    #[error("`{shown}` cannot be a file, because {} is not a directory", .file.display())]
    UnderAFile {
        /// The path as the config writes it.
        shown: String,
        /// What is there in place of a directory.
        file: PathBuf,
    },
    /// Links that lead to each other.
    #[error("`{0}` leads through more than {MOST_LINKS} symbolic links")]
    TooManyLinks(String),
    /// The system refused to look.
    #[error(transparent)]
    Io(#[from] PathError),
}

impl Target {
    /// Whether both mean the same file, however they are written.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        self.real == other.real
    }

    /// The file without symbolic links, absolute.
    #[must_use]
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// The path as the config writes it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

/// A project's directory, which targets lie in.
#[derive(Debug, Clone)]
pub struct Root {
    directory: Arc<Directory>,
    /// Absolute, and without symbolic links.
    path: PathBuf,
}

impl Root {
    /// The directory that the path leads to.
    ///
    /// # Errors
    /// It is not there, or the system refused to look.
    pub fn new(project: &Path) -> Result<Self, PathError> {
        let path = project.canonicalize().at(project)?;
        Ok(Self { directory: Arc::new(Directory::open(&path).at(project)?), path })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which directory it is.
    #[must_use]
    pub fn id(&self) -> Option<FileId> {
        self.directory.metadata().ok().as_ref().and_then(FileId::of)
    }

    /// The file that `path` means, relative to the directory, after every symbolic link: also of directories on the way, and of a last link
    /// that leads to nothing yet. `is_trusted` is asked about a real path outside of the project or in a version control's directory.
    ///
    /// # Errors
    /// [`TargetError`] says why there can be no such output.
    pub fn target(&self, path: &str, is_trusted: &dyn Fn(&Path) -> bool) -> Result<Target, TargetError> {
        if let Some(why) = not_a_path(path) {
            return Err(TargetError::NotAPath(path.to_owned(), why));
        }
        let shown = path.to_owned();
        let real = follow(&self.path, path)?;
        let inside = real.strip_prefix(&self.path).ok();
        if is_version_control(inside.unwrap_or(&real)) && !is_trusted(&real) {
            return Err(TargetError::VersionControl { shown, real });
        }
        if inside.is_none() && !is_trusted(&real) {
            return Err(TargetError::Outside { shown, real });
        }
        match std::fs::symlink_metadata(&real) {
            Ok(metadata) if !metadata.is_file() => Err(TargetError::NotAFile(shown, kind(metadata.file_type()))),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at(&real)?,
            _ => {
                let (root, inside) = match inside {
                    Some(inside) => (Arc::clone(&self.directory), inside.to_owned()),
                    None => open_outside(&real)?,
                };
                Ok(Target { root, inside, real, shown })
            }
        }
    }
}

/// The nearest directory above a trusted file that is there, and the way from it.
fn open_outside(real: &Path) -> Result<(Arc<Directory>, PathBuf), PathError> {
    let above = real.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("/"));
    let directory = Directory::open_without_links(above).at(above)?;
    Ok((Arc::new(directory), real.strip_prefix(above).unwrap_or(real).to_owned()))
}

fn not_a_path(path: &str) -> Option<&'static str> {
    let last = path.rsplit(std::path::is_separator).next().unwrap_or_default();
    match last {
        // They are never meant, and on a terminal they would make the path look like another.
        _ if path.chars().any(|c| harmless(c) != c) => Some("it has a control character"),
        _ if path.trim().is_empty() => Some("it is empty"),
        _ if path.starts_with("~/") => {
            Some("`~` means nothing here; write the path relative to the config's directory")
        }
        "" | "." | ".." => Some("it names a directory"),
        _ if cfg!(windows) && is_device(last) => Some("the name is that of a device on Windows"),
        _ => None,
    }
}

/// Whether Windows keeps the name for a device, whatever follows the first dot ("Naming Files, Paths, and Namespaces").
fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let numbered = |prefix| stem.strip_prefix(prefix).is_some_and(|rest| matches!(rest.as_bytes(), [b'1'..=b'9']));
    matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Follows the path as the kernel does, and goes on where nothing exists yet. (`canonicalize` stops there, and for a link that leads to
/// nothing says nothing about where it leads.)
fn follow(project: &Path, path: &str) -> Result<PathBuf, TargetError> {
    let mut real = project.to_owned();
    let mut links = 0;
    let mut rest: VecDeque<OsString> = parts(Path::new(path)).collect();
    while let Some(part) = rest.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::CurDir) | None => continue,
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::RootDir | Component::Prefix(_)) => {
                real.push(part);
                continue;
            }
            Some(Component::Normal(_)) => {}
        }
        let next = real.join(&part);
        match std::fs::symlink_metadata(&next) {
            Ok(metadata) if metadata.is_symlink() => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(TargetError::TooManyLinks(path.to_owned()));
                }
                let aim = std::fs::read_link(&next).at(&next)?;
                parts(&aim).collect::<Vec<_>>().into_iter().rev().for_each(|part| rest.push_front(part));
            }
            Ok(metadata) if !metadata.is_dir() && !rest.is_empty() => {
                return Err(TargetError::UnderAFile { shown: path.to_owned(), file: next });
            }
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).at(&next)?,
            _ => real = next,
        }
    }
    Ok(real)
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().map(|component| component.as_os_str().to_owned())
}

#[cfg(unix)]
fn kind(file: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match file {
        _ if file.is_dir() => "a directory",
        _ if file.is_fifo() => "a pipe",
        _ if file.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn kind(file: FileType) -> &'static str {
    if file.is_dir() { "a directory" } else { "a device" }
}

#[cfg(all(test, unix))]
mod tests;

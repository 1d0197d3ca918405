//! A config that is open: what was looked at is what is read.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Problem, Strange};
use super::owners::Owners;
use super::{Config, source};
use crate::fs::{FileId, directory_of, open_regular, owner_of};

/// A config that is open, with what the system knows of it.
#[derive(Debug)]
pub struct Found {
    path: PathBuf,
    file: File,
    directory: Option<FileId>,
    stranger: Option<Strange>,
}

impl Found {
    /// Opens the config that the user names. That is consent: it may be any user's, see [`Found::stranger`].
    ///
    /// # Errors
    /// There is none, it is no file, or the system refused.
    pub fn named(path: &Path, owners: &Owners) -> Result<Self, ConfigError> {
        let at = |problem| ConfigError::new(path, problem);
        let file = open_regular(path).map_err(|error| at(source::problem(error)))?;
        let config = file.metadata().map_err(|error| at(Problem::Unreadable(error)))?;
        // Without the directory there would be no file; should it go just now, what follows will say so.
        let directory = std::fs::metadata(directory_of(path)).ok();
        let stranger = strange("the config", owner_of(&config), owners)
            .or_else(|| strange("its directory", directory.as_ref().and_then(owner_of), owners));
        Ok(Self { path: path.to_owned(), file, directory: directory.as_ref().and_then(FileId::of), stranger })
    }

    /// Opens a config that was found and not named: it, its directory, and every link to it, have to be the user's.
    ///
    /// `directory` has no links: then no other user can have redirected us to a directory of the user's that was not meant.
    pub(super) fn searched(directory: &Path, name: &str, owners: &Owners) -> Result<Self, ConfigError> {
        let path = directory.join(name);
        if owners.trust(directory) {
            return Self::named(&path, owners);
        }
        match open_own(directory, name, owners) {
            Ok((file, directory)) => Ok(Self { path, file, directory: FileId::of(&directory), stranger: None }),
            Err(problem) => Err(ConfigError::new(&path, problem)),
        }
    }

    /// The file, as it was found or named.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that it is in, as a path.
    #[must_use]
    pub fn directory(&self) -> &Path {
        directory_of(&self.path)
    }

    /// What belongs to another user, if anything does.
    #[must_use]
    pub fn stranger(&self) -> Option<Strange> {
        self.stranger
    }

    /// Reads and checks it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load(self) -> Result<Config, ConfigError> {
        let bytes = source::read(self.file).map_err(|problem| ConfigError::new(&self.path, problem))?;
        Ok(Config { directory_id: self.directory, ..Config::parse(&self.path, bytes)? })
    }
}

/// What is not the user's, if it is not.
fn strange(what: &'static str, owner: Option<u32>, owners: &Owners) -> Option<Strange> {
    owner.filter(|&uid| !owners.include(uid)).map(|uid| Strange { what, uid })
}

/// The file and its directory.
#[cfg(unix)]
fn open_own(directory: &Path, name: &str, owners: &Owners) -> Result<(File, Metadata), Problem> {
    use crate::fs::Directory;
    let own = |what, owner| match strange(what, owner, owners) {
        Some(strange) => Err(Problem::ForeignOwner { strange, directory: directory.to_owned() }),
        None => Ok(()),
    };
    let open = Directory::search(directory).map_err(Problem::Unreadable)?;
    let metadata = open.metadata().map_err(Problem::Unreadable)?;
    own("its directory", owner_of(&metadata))?;
    let file = match open.open_file(Path::new(name)) {
        Err(error) if crate::fs::is_link_error(&error) => through_links(open, name, &own)?,
        file => file.map_err(source::problem)?,
    };
    let config = file.metadata().map_err(Problem::Unreadable)?;
    crate::fs::refuse_others(&config).map_err(source::problem)?;
    own("the config", owner_of(&config))?;
    Ok((file, metadata))
}

/// Opens what a link leads to, one step after the other, as far as each link on the way, and the last directory, are the user's.
#[cfg(unix)]
fn through_links(
    start: crate::fs::Directory,
    name: &str,
    own: &dyn Fn(&'static str, Option<u32>) -> Result<(), Problem>,
) -> Result<File, Problem> {
    use crate::fs::{Directory, MOST_LINKS, is_link_error};
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::path::Component;

    let mut at = start;
    let mut rest = VecDeque::from([OsString::from(name)]);
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        let step = match Path::new(&part).components().next() {
            None | Some(Component::CurDir) => continue,
            Some(Component::RootDir | Component::Prefix(_)) => Directory::search(Path::new("/")),
            Some(Component::ParentDir) => at.parent(),
            Some(Component::Normal(_)) if rest.is_empty() => match at.open_file(Path::new(&part)) {
                Ok(file) => {
                    let directory = at.metadata().map_err(Problem::Unreadable)?;
                    return own("the directory that its link leads to", owner_of(&directory)).map(|()| file);
                }
                Err(error) => Err(error),
            },
            Some(Component::Normal(_)) => at.step(&part),
        };
        match step {
            Ok(next) => at = next,
            Err(error) if is_link_error(&error) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Problem::Unreadable(std::io::Error::other("too many symbolic links")));
                }
                let (owner, aim) = at.link_at(&part).map_err(Problem::Unreadable)?;
                own("a link to it", Some(owner))?;
                aim.components().rev().for_each(|part| rest.push_front(part.as_os_str().to_owned()));
            }
            Err(error) => return Err(source::problem(error)),
        }
    }
    Err(Problem::NotAFile("a directory"))
}

#[cfg(not(unix))]
fn open_own(directory: &Path, name: &str, _: &Owners) -> Result<(File, Metadata), Problem> {
    let file = open_regular(&directory.join(name)).map_err(source::problem)?;
    let directory = std::fs::metadata(directory).map_err(Problem::Unreadable)?;
    Ok((file, directory))
}

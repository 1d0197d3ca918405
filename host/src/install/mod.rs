//! Puts plugins where a prepare finds them, and takes them away.
//!
//! A plugin that renders several types is installed once under each, because a type is looked up by the name of a file. Compiled code is
//! kept by content, so that costs only the file. In a project the lockfile goes along.

mod error;

use std::path::{Path, PathBuf};

use crate::fs::{Lock, LockOptions, PathContext, create_private_dir, lock_directory, write_atomic};
use crate::lockfile::{LockedPlugin, Lockfile};
use crate::model::Digest;
use crate::output::Root;
use crate::plugins::{Engine, Examined, PROJECT_DIRECTORY, is_built_in, plugin_files};

pub use error::InstallError;

/// The users that a plugin is installed for.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// For the user, in their directory of plugins.
    User(&'a Path),
    /// For all who work on the project with this directory.
    Project(&'a Path),
}

/// What was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The files, each with its type and what became of it.
    pub files: Vec<AddedFile>,
    /// Types that it renders, but that are built in: only a config can say that a plugin takes one over.
    pub built_in: Vec<String>,
}

/// A file of a plugin that was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedFile {
    /// The type that it serves.
    pub output_type: String,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it was there already, and which version.
    pub before: Before,
}

/// What was in a file's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// The same file.
    Same,
    /// Another version of the plugin.
    Version(String),
    /// Something else, which the user did not want to keep.
    Other,
}

impl Scope<'_> {
    fn project(&self) -> Option<&Path> {
        match self {
            Self::User(_) => None,
            Self::Project(project) => Some(project),
        }
    }

    fn directory(&self) -> PathBuf {
        match self {
            Self::User(directory) => directory.to_path_buf(),
            Self::Project(project) => project.join(PROJECT_DIRECTORY),
        }
    }

    /// The directory, made if need be. In a project it has to be in there even when links are followed.
    fn prepare_directory(&self) -> Result<PathBuf, InstallError> {
        let directory = self.directory();
        match self {
            Self::User(_) => create_private_dir(&directory)?,
            Self::Project(project) => {
                Root::new(project)?.target(&format!("{PROJECT_DIRECTORY}/any.wasm"), &|_| false)?;
                std::fs::create_dir_all(&directory).at(&directory)?;
            }
        }
        Ok(directory)
    }

    /// No other process changes the directory meanwhile, nor prepares the project.
    fn lock(&self, directory: &Path, turn: Turn<'_>) -> Result<Option<Lock>, InstallError> {
        Ok(lock_directory(self.project().unwrap_or(directory), turn.locks, turn.patience)?)
    }
}

/// How processes that change the same directory take turns.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The directory for locks, in the user's state.
    pub locks: &'a Path,
    /// How long to wait for the others.
    pub patience: &'a LockOptions<'a>,
}

/// Installs a plugin under every type that it renders.
///
/// With `replace` also where another plugin serves the type.
///
/// # Errors
/// [`InstallError`]: nothing was written, or it says what could not be.
pub fn add(
    plugin: &Examined,
    scope: Scope<'_>,
    engine: &Engine,
    replace: bool,
    turn: Turn<'_>,
) -> Result<Added, InstallError> {
    let metadata = plugin.plugin.metadata();
    let (built_in, types): (Vec<_>, Vec<_>) = metadata.output_types.iter().cloned().partition(|name| is_built_in(name));
    if types.is_empty() {
        return Err(InstallError::NoTypes { name: metadata.name.clone(), built_in });
    }
    let directory = scope.prepare_directory()?;
    let _lock = scope.lock(&directory, turn)?;
    let lockfile = scope.project().map(Lockfile::load).transpose()?.map(Option::unwrap_or_default);
    let place = |output_type: String| {
        let path = directory.join(format!("{output_type}.wasm"));
        let before = before(&path, plugin, engine)?;
        if before == Before::Other && !replace {
            return Err(InstallError::Taken { output_type, path });
        }
        Ok(AddedFile { output_type, path, before })
    };
    let files = types.into_iter().map(place).collect::<Result<Vec<_>, _>>()?;
    for file in files.iter().filter(|file| file.before != Before::Same) {
        write_atomic(&file.path, &plugin.bytes, Some(0o644))?;
    }
    if let Some((mut lockfile, project)) = lockfile.zip(scope.project()) {
        let locked = LockedPlugin { version: metadata.version.clone(), sha256: *plugin.plugin.digest() };
        lockfile.plugins.extend(files.iter().map(|file| (file.output_type.clone(), locked.clone())));
        lockfile.save(project)?;
    }
    Ok(Added { files, built_in })
}

fn before(path: &Path, plugin: &Examined, engine: &Engine) -> Result<Before, InstallError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Before::Nothing),
        metadata => metadata.at(path)?,
    };
    Ok(match engine.examine(path) {
        Ok(there) if there.plugin.digest() == plugin.plugin.digest() => Before::Same,
        Ok(there) if there.plugin.metadata().name == plugin.plugin.metadata().name => {
            Before::Version(there.plugin.metadata().version.clone())
        }
        _ => Before::Other,
    })
}

/// Takes away the plugin that serves the type: its file, and the same file under its other types.
///
/// # Errors
/// [`InstallError::NotThere`] when no plugin serves the type; or what could not be removed.
pub fn remove(output_type: &str, scope: Scope<'_>, turn: Turn<'_>) -> Result<Vec<PathBuf>, InstallError> {
    let directory = scope.directory();
    let missing = || InstallError::NotThere { output_type: output_type.to_owned(), directory: directory.clone() };
    if !directory.is_dir() && scope.project().is_none() {
        return Err(missing());
    }
    let _lock = scope.lock(&directory, turn)?;
    let lockfile = scope.project().map(Lockfile::load).transpose()?.flatten().unwrap_or_default();
    let files: Vec<_> = plugin_files(&directory).collect();
    let wanted = files.iter().find(|(name, _)| name == output_type);
    if wanted.is_none() && !lockfile.plugins.contains_key(output_type) {
        return Err(missing());
    }
    let digest = |path: &Path| Some(Digest::of(&std::fs::read(path).ok()?));
    let content = wanted.and_then(|(_, path)| digest(path));
    let is_same = |(name, path): &&(String, PathBuf)| {
        name == output_type || content.is_some_and(|content| digest(path) == Some(content))
    };
    let removed: Vec<_> = files.iter().filter(is_same).cloned().collect();
    for (_, path) in &removed {
        std::fs::remove_file(path).at(path)?;
    }
    if let Some(project) = scope.project() {
        let mut rest = lockfile.clone();
        rest.plugins.retain(|name, _| name != output_type && removed.iter().all(|(other, _)| other != name));
        if rest != lockfile {
            rest.save(project)?;
        }
    }
    Ok(removed.into_iter().map(|(_, path)| path).collect())
}

//! Plugins as files: where a project has them, which a directory has, and the bytes of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::builtin::BuiltIn;
use super::compiler::Meter;
use super::{Origin, PluginError, limits, paths};
use crate::fs::{PathError, not_a_file, open_regular, read_up_to};
use crate::model::Digest;

/// Where a project's plugins are, in the project's directory.
pub const PROJECT_DIRECTORY: &str = ".portkeeper/plugins";

/// A plugin that was found. Whether it may run, the catalogue says.
pub(super) struct Candidate {
    pub(super) origin: Origin,
    pub(super) content: Content,
    pub(super) digest: Digest,
}

/// What a plugin is made of.
pub(super) enum Content {
    /// The bytes of its file.
    File(Vec<u8>),
    /// It is a part of portkeeper.
    BuiltIn(&'static BuiltIn),
}

impl Content {
    /// The plugin's bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::File(bytes) => bytes,
            Self::BuiltIn(plugin) => plugin.component(),
        }
    }

    /// What ends it when it runs too long.
    pub(super) fn meter(&self) -> Meter {
        match self {
            Self::File(_) => Meter::FuelAndClock,
            Self::BuiltIn(_) => Meter::Fuel,
        }
    }

    /// What it was compiled to when portkeeper was built.
    pub(super) fn code(&self) -> Option<Vec<u8>> {
        match self {
            Self::File(_) => None,
            Self::BuiltIn(plugin) => plugin.code(),
        }
    }
}

/// The file's bytes, read once: what is hashed is what is trusted is what runs. None when there is no such file.
pub(super) fn read(name: &str, origin: Origin) -> Result<Option<Candidate>, PluginError> {
    let path = origin.path().unwrap_or(Path::new(""));
    let bytes = match read_limited(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let source = PathError { path: path.to_owned(), source };
            return Err(PluginError::Unreadable { name: name.to_owned(), source });
        }
    };
    let Some(bytes) = bytes else {
        let reason = format!("it is larger than {} MiB", limits::FILE >> 20);
        return Err(PluginError::Unusable { origin, reason, help: None });
    };
    let digest = Digest::of(&bytes);
    Ok(Some(Candidate { origin, content: Content::File(bytes), digest }))
}

/// None when there is more than a plugin may have.
fn read_limited(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = open_regular(path).map_err(|error| match not_a_file(&error) {
        Some(_) => io::Error::other("it is not a file"),
        None => error,
    })?;
    let bytes = read_up_to(file, limits::FILE + 1)?;
    Ok((bytes.len() as u64 <= limits::FILE).then_some(bytes))
}

/// The files of a directory of plugins, sorted, each with the type that it is named after.
pub fn plugin_files(directory: &Path) -> impl Iterator<Item = (String, PathBuf)> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found = entries
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".wasm")?.to_owned();
            paths::is_type_name(&name).then_some((name, path))
        })
        .collect::<Vec<_>>();
    found.sort();
    found.into_iter()
}

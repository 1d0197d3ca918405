//! `portkeeper.lock`: which content the plugins of a project have, for all who work on it.
//!
//! It lies beside the config and is committed with it. A digest that comes along with a plugin proves that the plugin is the one that
//! the project means. Whether it may run is another question, and the user's: see [`crate::trust`].
//!
//! YAML with one fact a line, sorted by type, so that two branches that add plugins merge without a conflict in most cases.

mod error;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::document::yaml_error;
use crate::fs::{PathContext, PathError, not_a_file, open_regular, read_up_to, write_atomic};
use crate::model::Digest;

pub use error::LockfileError;

/// The file's name, in the config's directory.
pub const FILE_NAME: &str = "portkeeper.lock";

/// The format that this version reads and writes.
const VERSION: u32 = 1;

/// The largest lockfile, in bytes.
const LARGEST: u64 = 1 << 20;

const HEADING: &str =
    "# The content that this project's plugins have. Written by `portkeeper plugin add --project`: commit it.\n";

/// What a lockfile says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// The plugins, by the type that they render.
    pub plugins: BTreeMap<String, LockedPlugin>,
}

/// A plugin as the project means it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedPlugin {
    /// The version that it gives itself, for people.
    pub version: String,
    /// The SHA-256 of its file.
    pub sha256: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    #[serde(default)]
    plugins: BTreeMap<String, LockedPlugin>,
}

/// What every format has.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Lockfile {
    /// The lockfile of a project, by the project's directory.
    #[must_use]
    pub fn path(project: &Path) -> PathBuf {
        project.join(FILE_NAME)
    }

    /// What the project's lockfile says; none when there is none.
    ///
    /// # Errors
    /// [`LockfileError`]: it is never taken for a missing one.
    pub fn load(project: &Path) -> Result<Option<Self>, LockfileError> {
        let path = Self::path(project);
        let Some(text) = read(&path)? else { return Ok(None) };
        parse(&text, &path).map(Some)
    }

    /// Writes it into the project's directory.
    ///
    /// # Errors
    /// The file that cannot be written.
    pub fn save(&self, project: &Path) -> Result<(), PathError> {
        write_atomic(&Self::path(project), self.to_text().as_bytes(), None)
    }

    fn to_text(&self) -> String {
        let document = Document { version: VERSION, plugins: self.plugins.clone() };
        let text = serde_yaml::to_string(&document).expect("numbers and text are YAML");
        format!("{HEADING}{text}")
    }
}

fn read(path: &Path) -> Result<Option<String>, LockfileError> {
    let damaged = |reason: &str| LockfileError::Damaged { path: path.to_owned(), reason: reason.to_owned() };
    let file = match open_regular(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if not_a_file(&error).is_some() => return Err(damaged("it is not a file")),
        file => file.at(path)?,
    };
    let bytes = read_up_to(file, LARGEST + 1).at(path)?;
    if bytes.len() as u64 > LARGEST {
        return Err(damaged("it is larger than 1 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| damaged("it is not UTF-8 text"))
}

fn parse(text: &str, path: &Path) -> Result<Lockfile, LockfileError> {
    if text.lines().any(|line| line.starts_with("<<<<<<< ")) {
        return Err(LockfileError::Conflict(path.to_owned()));
    }
    let damaged =
        |error: serde_yaml::Error| LockfileError::Damaged { path: path.to_owned(), reason: yaml_error(&error, text) };
    let Version { version } = serde_yaml::from_str(text).map_err(damaged)?;
    if version > VERSION {
        return Err(LockfileError::Newer { path: path.to_owned(), found: version, known: VERSION });
    }
    let Document { plugins, .. } = serde_yaml::from_str(text).map_err(damaged)?;
    Ok(Lockfile { plugins })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lockfile() -> Lockfile {
        let plugin =
            |content: &[u8], version: &str| LockedPlugin { version: version.into(), sha256: Digest::of(content) };
        Lockfile { plugins: [("toml".into(), plugin(b"b", "1.0")), ("ini".into(), plugin(b"a", "0.2.1"))].into() }
    }

    #[test]
    fn it_is_sorted_and_one_fact_stands_in_a_line() {
        let expected = format!(
            "{HEADING}version: 1\nplugins:\n  ini:\n    version: 0.2.1\n    sha256: {}\n  toml:\n    version: '1.0'\n    sha256: {}\n",
            Digest::of(b"a"),
            Digest::of(b"b")
        );
        assert_eq!(lockfile().to_text(), expected);
    }

    #[test]
    fn what_is_written_is_read() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Lockfile::load(directory.path()).unwrap(), None);
        lockfile().save(directory.path()).unwrap();
        assert_eq!(Lockfile::load(directory.path()).unwrap(), Some(lockfile()));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_says_what_to_do() {
        for (text, word) in [
            ("<<<<<<< HEAD\nversion: 1\n=======\n>>>>>>> theirs\n", "merge"),
            ("version: 2\nplugins: {}\nnews: 1\n", "update portkeeper"),
            ("version: 1\nplugins:\n  x:\n    version: '1'\n    sha256: abc\n", "64 hexadecimal digits"),
            ("version: 1\nplugin: {}\n", "unknown field"),
            ("", "`version` is missing"),
            ("version: 1\nplugins: {x: {}, x: {}}\n", "is missing"),
        ] {
            let error = parse(text, Path::new("portkeeper.lock")).unwrap_err().to_string();
            assert!(error.starts_with("portkeeper.lock") && error.contains(word), "{text}: {error}");
        }
    }
}

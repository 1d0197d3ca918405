//! A directory that says what a plugin is asked, and what it has to answer.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::FixtureError;
use crate::document::json_error;
use crate::fs::{PathContext, PathError, open_regular, read_up_to, write_atomic};
use crate::model::Protocol;
use crate::plugins::{Failure, Metadata};

const REQUEST: &str = "request.json";
const EXISTING: &str = "existing";
const EXPECTED: &str = "expected";
const FAILURE: &str = "failure.json";

/// A fixture as it is on the disk.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The directory's name.
    pub name: String,
    /// The directory.
    pub directory: PathBuf,
    /// The file that is rendered.
    pub path: String,
    /// The files that are handed over besides.
    pub inputs: Vec<String>,
    /// What `request.json` says.
    pub(super) request: RequestFile,
    /// The files as they are, by path.
    pub(super) existing: BTreeMap<String, String>,
    /// What has to come of it; none when nobody has said it yet.
    pub expected: Option<Expected>,
}

/// What has to come of a fixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// These files, by path.
    Files(BTreeMap<String, String>),
    /// The plugin's own no.
    Failure(ExpectedFailure),
}

/// The plugin's own no, as `failure.json` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedFailure {
    /// `bad-options`, `bad-map`, `bad-target`, `bad-input`, or a word of the plugin's own.
    pub code: String,
    /// The message; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The help; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line; none: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl ExpectedFailure {
    /// Whether a failure is the expected one.
    #[must_use]
    pub fn allows(&self, found: &Self) -> bool {
        fn fits<T: PartialEq>(expected: Option<&T>, found: Option<&T>) -> bool {
            expected.is_none() || expected == found
        }
        self.code == found.code
            && fits(self.message.as_ref(), found.message.as_ref())
            && fits(self.help.as_ref(), found.help.as_ref())
            && fits(self.line.as_ref(), found.line.as_ref())
    }
}

impl From<&Failure> for ExpectedFailure {
    fn from(failure: &Failure) -> Self {
        let Failure { code, message, help, line } = failure.clone();
        Self { code, message: Some(message), help, line }
    }
}

/// `request.json`: what a config and its reservations come to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestFile {
    /// The name of the project's directory.
    #[serde(default = "project")]
    pub(super) project: String,
    #[serde(default)]
    pub(super) reservations: Vec<ReservationFile>,
    /// The map, expanded. Without it: every reservation with its port.
    pub(super) map: Option<Map<String, Value>>,
    /// The file; without it the plugin's usual one.
    path: Option<String>,
    /// Further files from `existing`; without it the plugin's usual ones, if they are there.
    inputs: Option<Vec<String>>,
    #[serde(default)]
    pub(super) options: Map<String, Value>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReservationFile {
    pub(super) name: String,
    pub(super) port: u16,
    #[serde(default)]
    pub(super) protocol: Protocol,
    pub(super) host: Option<String>,
}

fn project() -> String {
    "project".to_owned()
}

impl Fixture {
    /// All fixtures of a directory, sorted by name.
    ///
    /// # Errors
    /// There are none, or one of them cannot be used.
    pub fn load_all(directory: &Path, metadata: &Metadata) -> Result<Vec<Self>, FixtureError> {
        if directory.join(REQUEST).is_file() {
            return Ok(vec![Self::load(directory, metadata)?]);
        }
        let mut directories: Vec<_> = children(directory)?.into_iter().filter(|path| path.is_dir()).collect();
        directories.sort();
        if directories.is_empty() {
            return Err(FixtureError::None(directory.to_owned()));
        }
        directories.iter().map(|directory| Self::load(directory, metadata)).collect()
    }

    fn load(directory: &Path, metadata: &Metadata) -> Result<Self, FixtureError> {
        let known = |name: &str| [REQUEST, EXISTING, EXPECTED, FAILURE].contains(&name) || name.starts_with("README");
        if let Some(stray) = children(directory)?
            .into_iter()
            .find(|path| !path.file_name().is_some_and(|name| known(&name.to_string_lossy())))
        {
            return Err(FixtureError::Stray(stray));
        }
        let request: RequestFile = json(&directory.join(REQUEST))?;
        let existing = files(&directory.join(EXISTING))?;
        let path = request.path.clone().or_else(|| metadata.default_path.clone());
        let usual = || metadata.default_inputs.iter().filter(|path| existing.contains_key(*path)).cloned().collect();
        Ok(Self {
            name: directory.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            directory: directory.to_owned(),
            path: path.ok_or_else(|| FixtureError::NoPath(directory.join(REQUEST)))?,
            inputs: request.inputs.clone().unwrap_or_else(usual),
            expected: expected(directory)?,
            request,
            existing,
        })
    }

    /// Writes down what has to come of it from now on, in place of what was expected before.
    ///
    /// # Errors
    /// What cannot be written or removed.
    pub fn expect(&self, expected: &Expected) -> Result<(), FixtureError> {
        let (files, failure) = (self.directory.join(EXPECTED), self.directory.join(FAILURE));
        if files.is_dir() {
            fs::remove_dir_all(&files).at(&files)?;
        }
        if failure.is_file() {
            fs::remove_file(&failure).at(&failure)?;
        }
        match expected {
            Expected::Files(texts) => texts.iter().try_for_each(|(path, text)| Ok(write(&files.join(path), text)?)),
            Expected::Failure(expected) => {
                let text = serde_json::to_string_pretty(expected).expect("text and a number are JSON");
                Ok(write(&failure, &format!("{text}\n"))?)
            }
        }
    }
}

fn expected(directory: &Path) -> Result<Option<Expected>, FixtureError> {
    let (wanted, failure) = (directory.join(EXPECTED), directory.join(FAILURE));
    match (wanted.is_dir(), failure.is_file()) {
        (true, true) => Err(FixtureError::Both(directory.to_owned())),
        (true, false) => Ok(Some(Expected::Files(files(&wanted)?))),
        (false, true) => Ok(Some(Expected::Failure(json(&failure)?))),
        (false, false) => Ok(None),
    }
}

fn children(directory: &Path) -> Result<Vec<PathBuf>, PathError> {
    fs::read_dir(directory).at(directory)?.map(|entry| Ok(entry.at(directory)?.path())).collect()
}

/// The texts of all files below a directory, by their path in it with `/` between its parts. None without a directory.
fn files(directory: &Path) -> Result<BTreeMap<String, String>, FixtureError> {
    let mut found = BTreeMap::new();
    let mut open = if directory.is_dir() { vec![(directory.to_owned(), String::new())] } else { Vec::new() };
    while let Some((directory, prefix)) = open.pop() {
        for path in children(&directory)? {
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if path.is_dir() && !path.is_symlink() {
                open.push((path, name + "/"));
            } else {
                let text = String::from_utf8(read(&path)?);
                found.insert(name, text.map_err(|_| FixtureError::NotText(path))?);
            }
        }
    }
    Ok(found)
}

/// The bytes of a file, as far as a prepare would read it.
fn read(path: &Path) -> Result<Vec<u8>, PathError> {
    open_regular(path).and_then(|file| read_up_to(file, crate::output::LARGEST)).at(path)
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, FixtureError> {
    let bytes = read(path)?;
    let wrong = |reason: String| FixtureError::Json { path: path.to_owned(), reason };
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| match error.path().to_string() {
        path if path == "." => wrong(json_error(&error.into_inner())),
        path => wrong(format!("{path}: {}", json_error(&error.into_inner()))),
    })
}

fn write(path: &Path, text: &str) -> Result<(), PathError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).at(parent)?;
    }
    // What has the name is replaced and not followed: a fixture may come with a plugin of others.
    write_atomic(path, text.as_bytes(), None)
}

//! What can go wrong with plugins, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::engine::LoadError;
use super::inspect::Refusal;
use super::{Failure, LogLine, Origin, OverLimit, TypeInfo};
use crate::fs::PathError;
use crate::model::Digest;

/// There is no plugin that could be run for a `type`.
#[derive(Debug, Error)]
pub enum PluginError {
    /// No plugin renders the type.
    #[error("there is no output type `{name}`")]
    Unknown {
        /// The type that was asked for.
        name: String,
        /// The type that was probably meant.
        nearest: Option<String>,
        /// All types that there are.
        types: Vec<TypeInfo>,
        /// The lockfile that names a plugin for the type all the same.
        pinned_in: Option<PathBuf>,
    },
    /// The plugin's file cannot be read.
    #[error("the plugin of `{name}` cannot be read: {source}")]
    Unreadable {
        /// The type that was asked for.
        name: String,
        /// The file, and what the system said.
        source: PathError,
    },
    /// The file is not the one that the config means.
    #[error("{} is not the plugin that the config names: its SHA-256 is {found}, the config says {expected}", .path.display())]
    WrongDigest {
        /// The plugin's file.
        path: PathBuf,
        /// What the config says.
        expected: String,
        /// What the file has.
        found: Digest,
    },
    /// The file is not the one that the project's lockfile means.
    #[error(
        "{} is not the plugin that {} pins: its SHA-256 is {found}, and {pinned} is pinned",
        .path.display(), .lockfile.display()
    )]
    OtherThanPinned {
        /// The plugin's file.
        path: PathBuf,
        /// The lockfile.
        lockfile: PathBuf,
        /// What the lockfile says.
        pinned: Digest,
        /// What the file has.
        found: Digest,
    },
    /// The plugin came with a project that pins its plugins, but not this one.
    #[error("the plugin {} is not pinned in {}", .path.display(), .lockfile.display())]
    NotPinned {
        /// The plugin's file.
        path: PathBuf,
        /// The lockfile.
        lockfile: PathBuf,
    },
    /// The plugin came with a repository or a config, and the user has not said that it may run.
    #[error("the plugin {} is not trusted yet, or was changed since it was trusted", .path.display())]
    NotTrusted {
        /// The plugin's file, absolute and without symbolic links.
        path: PathBuf,
        /// What the file has now.
        digest: Digest,
    },
    /// The file is no plugin that this host can run.
    #[error("{origin} cannot be used as a plugin: {reason}")]
    Unusable {
        /// Where the plugin comes from.
        origin: Origin,
        /// Why not.
        reason: String,
        /// What its author or user can do about it.
        help: Option<String>,
    },
    /// The plugin renders other types than the one that it was found for.
    #[error("{origin} does not render `{name}`: it renders {}", list(.serves))]
    OtherTypes {
        /// The type that was asked for.
        name: String,
        /// Where the plugin comes from.
        origin: Origin,
        /// What it says that it renders.
        serves: Vec<String>,
    },
    /// The sandbox itself does not start on this machine.
    #[error("the sandbox for plugins does not start: {0}")]
    NoSandbox(String),
}

impl PluginError {
    /// There is no such file.
    pub(super) fn missing(name: &str, path: &Path) -> Self {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no such file");
        let source = PathError { path: path.to_owned(), source };
        Self::Unreadable { name: name.to_owned(), source }
    }

    /// The bytes from `origin` did not become a plugin.
    pub(super) fn of_load(error: LoadError, origin: Origin) -> Self {
        match error {
            LoadError::NoSandbox(reason) => Self::NoSandbox(reason),
            LoadError::Refused(Refusal { reason, help }) => Self::Unusable { origin, reason, help },
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { name, pinned_in: Some(lockfile), .. } => Some(format!(
                "{} pins a plugin for it, but .portkeeper/plugins/{name}.wasm is not there: get it from the project, or add it \
                 anew with `portkeeper plugin add --project`",
                lockfile.display()
            )),
            Self::OtherThanPinned { path, .. } => Some(format!(
                "get the pinned file back from the project's history; or, if the new one is meant and you know where it comes \
                 from: portkeeper plugin add --project {}",
                path.display()
            )),
            Self::NotPinned { path, .. } => {
                Some(format!("if you know where it comes from: portkeeper plugin add --project {}", path.display()))
            }
            Self::Unknown { nearest, types, .. } => {
                let meant = nearest.as_ref().map(|nearest| format!("did you mean `{nearest}`? If not, "));
                let names = types.iter().flat_map(|info| std::iter::once(&info.name).chain(&info.aliases));
                let names = names.cloned().collect::<Vec<_>>();
                Some(format!("{}there are {}", meant.unwrap_or_default(), list(&names)))
            }
            Self::NotTrusted { path, .. } => {
                Some(format!("if you know where it comes from: portkeeper trust {}", path.display()))
            }
            Self::Unusable { help, .. } => help.clone(),
            Self::OtherTypes { serves, .. } if !serves.is_empty() => {
                Some("name the file, or the entry under `plugins`, after one of them".to_owned())
            }
            _ => None,
        }
    }
}

/// Why a plugin did not render.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The plugin's own no, about the config or the files.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The plugin needs more than it may take, most often because the file is too large for it.
    #[error("{}", .0)]
    OverLimit(Box<OverLimit>),
    /// The plugin crashed or answered nonsense.
    #[error("{}", .0)]
    Broken(Broken),
}

/// A plugin that does not work.
#[derive(Debug, Error)]
#[error("{origin} is broken: {reason}")]
pub struct Broken {
    /// Where the plugin comes from.
    pub origin: Origin,
    /// What it did.
    pub reason: String,
    /// What it logged before.
    pub log: Vec<LogLine>,
}

/// `a`, `b` and `c`, each in backticks.
fn list(names: &[String]) -> String {
    let quoted = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    match quoted.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

//! What can go wrong for a plugin's author.

use std::path::PathBuf;

use thiserror::Error;

use super::TARGET;
use crate::fs::PathError;
use crate::plugins::PluginError;

/// Why there is no new crate.
#[derive(Debug, Error)]
pub enum ScaffoldError {
    /// The name cannot be an output's type.
    #[error("`{0}` cannot be the name of a type: use letters, digits, `-` and `_`, beginning with a letter or digit")]
    BadName(String),
    /// There is such a format already.
    #[error("the type `{0}` is built in: choose another name")]
    BuiltIn(String),
    /// The place is taken.
    #[error("{} is there already: choose another name or directory", .0.display())]
    Exists(PathBuf),
    /// There is no SDK where it was said to be.
    #[error("{} is not the SDK: there is no Cargo.toml of portkeeper-plugin-sdk in it", .0.display())]
    NoSdk(PathBuf),
    /// A path that a manifest cannot hold.
    #[error("{} cannot be written into a Cargo.toml: it is not valid Unicode", .0.display())]
    NotText(PathBuf),
    /// A file or directory cannot be written.
    #[error(transparent)]
    File(#[from] PathError),
}

/// Why there is no component.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Nothing to build.
    #[error("{} has no Cargo.toml, so it is no plugin's crate", .0.display())]
    NoCrate(PathBuf),
    /// A tool does not start.
    #[error("cannot be started: {0}")]
    NoProgram(PathError),
    /// Rust's standard library for the target is not there.
    #[error("this Rust cannot build for {TARGET}: its standard library is not installed")]
    NoTarget,
    /// The compiler's own no, which it has explained.
    #[error("cargo could not build the plugin")]
    Failed,
    /// Cargo built no file that could be a plugin.
    #[error(
        "the crate builds to no .wasm file: its Cargo.toml needs `[lib]` with `crate-type = [\"cdylib\", \"rlib\"]`"
    )]
    NoCdylib,
    /// Cargo built several.
    #[error("the crate builds to several .wasm files: {}", .0.join(", "))]
    Several(Vec<String>),
    /// What was built is no plugin.
    #[error(transparent)]
    Plugin(PluginError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
}

impl BuildError {
    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::NoCrate(_) => Some(
                "name the directory of a Rust crate, or make one with `portkeeper plugin new`. A plugin in another language is built with \
                 its own tools; `portkeeper plugin inspect FILE` says whether the result is one"
                    .to_owned(),
            ),
            Self::NoProgram(_) => Some("install Rust from https://rustup.rs".to_owned()),
            Self::NoTarget => Some(format!(
                "rustup target add {TARGET}; where Rust came from Debian or Ubuntu: apt-get install libstd-rust-dev-wasm32 lld"
            )),
            Self::Several(_) => Some("name one of them after `--`: `-- --package NAME`".to_owned()),
            Self::Plugin(error) => error.help(),
            Self::Failed | Self::NoCdylib | Self::File(_) => None,
        }
    }
}

/// Why a fixture cannot be used.
#[derive(Debug, Error)]
pub enum FixtureError {
    /// There are none.
    #[error("there are no fixtures in {}: each is a directory with a request.json", .0.display())]
    None(PathBuf),
    /// Something in a fixture that means nothing.
    #[error("{}: a fixture has request.json, `existing`, and either `expected` or failure.json; nothing else is looked at", .0.display())]
    Stray(PathBuf),
    /// Both a file and a failure are expected.
    #[error("{}: a fixture expects files or a failure: remove either `expected` or failure.json", .0.display())]
    Both(PathBuf),
    /// A JSON file that cannot be understood.
    #[error("{}: {reason}", .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The request names no file, and the plugin has no usual one.
    #[error("{}: this plugin has no usual file, so `path` has to say which one it renders", .0.display())]
    NoPath(PathBuf),
    /// A file that is no text.
    #[error("{}: not UTF-8 text", .0.display())]
    NotText(PathBuf),
    /// A file or directory cannot be read or written.
    #[error(transparent)]
    File(#[from] PathError),
}

//! A plugin that was found, and where.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::crash::entering_compiler;
use super::loaded::{Fault, Loaded, Outcome};
use super::{Broken, Metadata, OverLimit, RenderError, Rendered, Request, Usage};
use crate::model::Digest;

/// A plugin that is ready to render.
#[derive(Debug, Clone)]
pub struct Plugin {
    pub(super) loaded: Arc<Loaded>,
    pub(super) origin: Origin,
    pub(super) digest: Digest,
}

/// Where a plugin comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It is part of portkeeper, under this name.
    BuiltIn(&'static str),
    /// The config names this file.
    Explicit(PathBuf),
    /// The file is in the project's directory of plugins.
    Project(PathBuf),
    /// The file is in the user's directory of plugins.
    User(PathBuf),
    /// The user names this file.
    File(PathBuf),
}

impl Origin {
    /// Whether it is part of portkeeper. All else is other people's code, wherever it lies.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        matches!(self, Self::BuiltIn(_))
    }

    /// The plugin's file; none for a built-in.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Explicit(path) | Self::Project(path) | Self::User(path) | Self::File(path) => Some(path),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(name) => write!(f, "the built-in plugin `{name}`"),
            Self::Explicit(path) | Self::Project(path) | Self::User(path) | Self::File(path) => {
                write!(f, "the plugin {}", path.display())
            }
        }
    }
}

impl Plugin {
    /// Who the plugin says that it is.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        self.loaded.metadata()
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The digest of its file.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Loads the plugin's code, if that was put off: code that was compiled before is loaded when it is first wanted. If it fails,
    /// rendering says why.
    pub fn get_ready(&self) {
        let _in_compiler = entering_compiler(&self.origin);
        self.loaded.get_ready();
    }

    /// What the plugin makes of the request. It runs in a fresh instance that remembers nothing.
    ///
    /// # Errors
    /// [`RenderError::Failed`] is the plugin's own no, [`RenderError::OverLimit`] a limit, [`RenderError::Broken`] a crash or a
    /// nonsensical answer.
    pub fn render(&self, request: &Request) -> Result<Rendered, RenderError> {
        self.measure(request).0
    }

    /// As [`render`](Self::render), with what it took.
    ///
    /// # Errors
    /// As for [`render`](Self::render).
    pub fn measure(&self, request: &Request) -> (Result<Rendered, RenderError>, Usage) {
        self.get_ready();
        let Outcome { result, log, usage } = self.loaded.render(request);
        let result = match result {
            Ok(Ok(rendered)) => Ok(Rendered { log, ..rendered }),
            Ok(Err(failure)) => Err(RenderError::Failed(failure)),
            Err(Fault::Excess(excess)) => {
                let over = OverLimit::new(self.origin.clone(), request, excess, log);
                Err(RenderError::OverLimit(Box::new(over)))
            }
            Err(Fault::Broken(reason)) => Err(RenderError::Broken(Broken { origin: self.origin.clone(), reason, log })),
        };
        (result, usage)
    }
}

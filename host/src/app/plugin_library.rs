//! The plugins that a command finds from where it runs.

use std::path::{Path, PathBuf};

use super::{CommandError, Context};
use crate::config::{self, Found};
use crate::model::Digest;
use crate::plugins::{Catalogue, Engine, Limits, Sources};
use crate::prepare::plugin_sources;
use crate::settings::Settings;
use crate::trust::Trust;

/// The plugins of the project around the current directory and of the user, and what the user trusts.
pub(crate) struct PluginLibrary {
    pub(crate) settings: Settings,
    pub(crate) trust: Trust,
    pub(crate) engine: Engine,
    /// The directory of the config, or the current one where there is none.
    pub(crate) project: PathBuf,
    sources: Sources,
}

impl PluginLibrary {
    /// A config or lockfile that cannot be read is no reason to say nothing about plugins: it is a warning.
    pub(crate) fn new(context: &Context) -> Result<Self, CommandError> {
        let settings = context.settings()?;
        let here = context.current_directory()?;
        let found = config::find(&here, &context.owners).unwrap_or_else(|error| {
            context.printer.warn(CommandError::from(error));
            None
        });
        let project = found.as_ref().map_or(here, |found| found.directory().to_owned());
        let config = found.map(Found::load).transpose().unwrap_or_else(|error| {
            context.printer.warn(format_args!("{error}; what it says about plugins is left out"));
            None
        });
        let user = Some(settings.plugins.as_path());
        let sources = plugin_sources(Some(&project), config.as_ref(), user).unwrap_or_else(|error| {
            context.printer.warn(&error);
            Sources { project: Some(project.clone()), user: user.map(Path::to_owned), ..Sources::default() }
        });
        Ok(Self {
            trust: Trust::load(&settings.trust_file())?,
            engine: Engine::new(Some(settings.plugin_cache().without_new_key()), Limits::default()),
            settings,
            project,
            sources,
        })
    }

    /// The same, which keeps what it compiles even if it is the first to do so.
    pub(crate) fn keeping(self) -> Self {
        Self { engine: Engine::new(Some(self.settings.plugin_cache()), Limits::default()), ..self }
    }

    /// The same, with nothing that was compiled before.
    pub(crate) fn uncached(self) -> Self {
        Self { engine: Engine::new(None, Limits::default()), ..self }
    }

    /// Works with all of them.
    pub(crate) fn with_catalogue<T>(&self, work: impl FnOnce(&Catalogue<'_>) -> T) -> T {
        let is_trusted = |path: &Path, digest: &Digest| self.trust.trusts_plugin(path, digest);
        work(&Catalogue::new(&self.engine, self.sources.clone(), &is_trusted))
    }
}

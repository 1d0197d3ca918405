//! What a prepare is surrounded by, owned.

use std::mem::ManuallyDrop;
use std::path::PathBuf;

use super::{CommandError, Context};
use crate::fs::LockOptions;
use crate::model::Host;
use crate::os;
use crate::plugins::{Engine, Limits};
use crate::prepare::{Mode, PrepareContext};
use crate::settings::Settings;
use crate::trust::Trust;

/// What a prepare is surrounded by: the environment, the plugins, and what the user trusts.
pub(crate) struct PrepareEnv {
    host: Host,
    /// Never dropped: the process ends with it, and gives all of its memory back in one step.
    engine: ManuallyDrop<Engine>,
    settings: Settings,
    trust: Trust,
    locks: PathBuf,
    patience: LockOptions<'static>,
}

impl PrepareEnv {
    pub(crate) fn new(context: &Context, mode: Mode) -> Result<Self, CommandError> {
        let settings = context.settings()?;
        os::expect_threads();
        let cache = settings.plugin_cache();
        let cache = if mode == Mode::Write { cache } else { cache.without_new_key() };
        Ok(Self {
            host: context.default_host()?,
            engine: ManuallyDrop::new(Engine::new(Some(cache), Limits::default())),
            trust: Trust::load(&settings.trust_file())?,
            locks: settings.locks(),
            settings,
            patience: context.patience(),
        })
    }

    pub(crate) fn surroundings(&self) -> PrepareContext<'_> {
        PrepareContext {
            host: &self.host,
            environment: &|name| std::env::var(name).ok(),
            engine: &self.engine,
            plugins: Some(&self.settings.plugins),
            trust: &self.trust,
            locks: &self.locks,
            patience: &self.patience,
        }
    }
}

//! What a prepare is surrounded by, owned.

use super::{CommandError, Context};
use crate::fs::Patience;
use crate::model::Host;
use crate::plugins::{Engine, Limits};
use crate::prepare::Surroundings;
use crate::settings::Settings;
use crate::trust::Trust;

/// What a prepare is surrounded by: the environment, the plugins, and what the user trusts.
pub(crate) struct Stage {
    host: Host,
    engine: Engine,
    settings: Settings,
    trust: Trust,
    patience: Patience<'static>,
}

impl Stage {
    pub(crate) fn new(context: &Context) -> Result<Self, CommandError> {
        let settings = context.settings()?;
        Ok(Self {
            host: context.default_host()?,
            engine: Engine::new(Some(settings.cache.clone()), Limits::default()),
            trust: Trust::load(&settings.trust_file())?,
            settings,
            patience: context.patience(),
        })
    }

    pub(crate) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            host: &self.host,
            environment: &|name| std::env::var(name).ok(),
            engine: &self.engine,
            plugins: Some(&self.settings.plugins),
            trust: &self.trust,
            patience: &self.patience,
        }
    }
}

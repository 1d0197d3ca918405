//! The calls that write ports into files.

use std::path::Path;

use serde_json::{Map, Value};

use super::{PortRegistry, SetupError};
use crate::fs::LockOptions;
use crate::model::Host;
use crate::plugins::{Engine, Limits};
use crate::prepare::{Job, Mode, PrepareContext, PrepareError, prepare};
use crate::trust::Trust;

impl PortRegistry {
    /// Writes values into a `.env` file. Comments, order, quoting and other names stay as they are. Whether the file changed.
    ///
    /// # Errors
    /// [`PrepareError`]; then the file is as it was.
    pub fn write_env<K: Into<String>, V: Into<String>>(
        &self,
        path: impl AsRef<Path>,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Result<bool, PrepareError> {
        let values = values.into_iter().map(|(name, value)| (name.into(), Value::String(value.into())));
        self.write(&Job::of_file(path.as_ref(), "env", &values.collect(), false))
    }

    /// Merges an object into a JSON file, deeply. Everything else in it stays as it is, comments included; the text from before
    /// the first change is kept as `NAME.bak`. Whether the file changed.
    ///
    /// # Errors
    /// [`PrepareError`]; then the file is as it was.
    pub fn update_config_json(
        &self,
        path: impl AsRef<Path>,
        values: &Map<String, Value>,
    ) -> Result<bool, PrepareError> {
        self.write(&Job::of_file(path.as_ref(), "json", values, true))
    }

    fn write(&self, job: &Job<'_>) -> Result<bool, PrepareError> {
        let settings = self.settings.as_ref().ok_or_else(|| PrepareError::Invalid(SetupError.to_string()))?;
        let trust = Trust::load(&settings.trust_file())?;
        let around = PrepareContext {
            host: &Host::default(),
            environment: &|_| None,
            engine: &Engine::new(Some(settings.plugin_cache()), Limits::default()),
            plugins: None,
            trust: &trust,
            locks: &settings.locks(),
            patience: &LockOptions::default(),
        };
        let report = prepare(
            job,
            &around,
            &self.store,
            &self.machine().map_err(crate::reserve::ReserveError::from)?,
            Mode::Write,
            false,
        )?;
        Ok(report.outputs.iter().any(|output| output.changed))
    }
}

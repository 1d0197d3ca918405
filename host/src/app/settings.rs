//! Where things are: the only place that reads the environment and knows the platform's folders.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The user's folders.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Registry and trust: what must not be lost.
    pub(crate) state: PathBuf,
    /// Compiled plugins: what can be made again.
    pub(crate) cache: PathBuf,
    /// The user's own plugins.
    pub(crate) plugins: PathBuf,
}

impl Settings {
    /// What the user trusts.
    pub(crate) fn trust_file(&self) -> PathBuf {
        self.state.join("trust.json")
    }

    /// The platform's places; none when there is no home folder.
    ///
    /// Linux and macOS: the XDG Base Directory Specification. Windows: the known folders.
    pub(crate) fn from_environment() -> Option<Self> {
        let base = etcetera::choose_base_strategy().ok()?;
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Some(Self {
            state: state.join("portkeeper"),
            cache: base.cache_dir().join("portkeeper"),
            plugins: base.data_dir().join("portkeeper").join("plugins"),
        })
    }
}

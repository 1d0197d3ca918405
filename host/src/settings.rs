//! Where things are: the only place that reads the environment and knows the platform's directories.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The user's directories, where portkeeper keeps what is neither a project's nor the machine's.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Registry and trust: what must not be lost.
    pub state: PathBuf,
    /// Compiled plugins: what can be made again.
    pub cache: PathBuf,
    /// The user's own plugins.
    pub plugins: PathBuf,
}

impl Settings {
    /// What the user trusts.
    #[must_use]
    pub fn trust_file(&self) -> PathBuf {
        self.state.join("trust.json")
    }

    /// Where compiled plugins are kept. What proves that they are the user's own lies with the state, which sandboxes keep their programs
    /// out of more often than of a cache.
    #[cfg(feature = "plugins")]
    #[must_use]
    pub fn plugin_cache(&self) -> crate::plugins::CachePlace {
        crate::plugins::CachePlace {
            directory: self.cache.clone(),
            key: self.state.join("plugin-cache.key"),
            makes_key: true,
        }
    }

    /// The locks of projects.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.state.join("locks")
    }

    /// The platform's places; none when there is no home directory.
    ///
    /// Linux and macOS: the XDG Base Directory Specification. Windows: the known directories.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let base = etcetera::choose_base_strategy().ok()?;
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Some(Self {
            state: state.join("portkeeper"),
            cache: base.cache_dir().join("portkeeper"),
            plugins: base.data_dir().join("portkeeper").join("plugins"),
        })
    }
}

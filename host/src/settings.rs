//! Where things are: the only place that knows the platform's directories.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::fs::can_write_in;

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

    /// The user's directories; none when there is no home directory and no service manager gives one.
    ///
    /// Linux and macOS: the XDG Base Directory Specification. Windows: the known directories. A systemd service that cannot write there
    /// uses the directories that its unit asks for (`StateDirectory=` and `CacheDirectory=`, systemd.exec(5)). One that can, shares the
    /// registry with everything else that its user runs.
    #[must_use]
    pub fn from_environment() -> Option<Self> {
        let of_user = etcetera::choose_base_strategy().ok().map(|base| Self::of_user(&base));
        let Some(state) = given("STATE_DIRECTORY") else { return of_user };
        match of_user {
            Some(of_user) if can_write_in(&of_user.state).is_ok() => Some(of_user),
            of_user => Some(Self {
                cache: given("CACHE_DIRECTORY").unwrap_or_else(|| state.join("cache")),
                plugins: of_user.map_or_else(|| state.join("plugins"), |of_user| of_user.plugins),
                state,
            }),
        }
    }

    fn of_user(base: &impl BaseStrategy) -> Self {
        let state = base.state_dir().unwrap_or_else(|| base.data_dir());
        Self {
            state: state.join("portkeeper"),
            cache: base.cache_dir().join("portkeeper"),
            plugins: base.data_dir().join("portkeeper").join("plugins"),
        }
    }
}

/// A directory of the unit: the first of those that systemd names, with colons between them.
fn given(variable: &str) -> Option<PathBuf> {
    let directories = std::env::var_os(variable)?;
    std::env::split_paths(&directories).next().filter(|directory| directory.is_absolute())
}

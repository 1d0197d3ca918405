//! The sandbox for plugins with real components in it, called as the library is.

mod corpus;
mod finding;
mod fuzz;
mod limits;
mod options;
mod remembering;

use std::path::{Path, PathBuf};

use portkeeper::model::Digest;
use portkeeper::plugins::{
    Allowance, CachePlace, Catalogue, Engine, Limits, Plugin, PluginError, Request, Sources, TextFile,
};
use tempfile::TempDir;

/// A user with a directory of plugins and a cache.
struct Home {
    directory: TempDir,
}

impl Home {
    fn new() -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        std::fs::create_dir(home.plugins()).unwrap();
        home
    }

    fn plugins(&self) -> PathBuf {
        self.directory.path().join("plugins")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    /// The key that the cache's entries are authenticated with.
    fn key(&self) -> PathBuf {
        self.directory.path().join("state/key")
    }

    fn cache_place(&self) -> CachePlace {
        CachePlace { directory: self.cache(), key: self.key(), makes_key: true }
    }

    fn put(&self, output_type: &str, bytes: &[u8]) {
        std::fs::write(self.plugins().join(format!("{output_type}.wasm")), bytes).unwrap();
    }

    fn sources(&self) -> Sources {
        Sources { user: Some(self.plugins()), ..Sources::default() }
    }

    /// An engine that keeps what it compiles, with limits that no honest plugin meets and no test waits long for.
    fn engine(&self) -> Engine {
        let little = |allowed: Allowance| Allowance { fuel: 100_000_000, ..allowed };
        let Limits { rendering, describing, compiling } = Limits::default();
        let limits = Limits { rendering: little(rendering), describing: little(describing), compiling };
        Engine::new(Some(self.cache_place()), limits)
    }

    fn find(&self, output_type: &str) -> Result<Plugin, PluginError> {
        Catalogue::new(&self.engine(), self.sources(), &nobody).find(output_type)
    }
}

/// Trusts no plugin.
fn nobody(_: &Path, _: &Digest) -> bool {
    false
}

/// A request that an honest plugin can render.
fn request() -> Request {
    Request {
        project: "shop".into(),
        entries: vec![("PORT".into(), "8080".into())],
        map: r#"{"PORT":8080}"#.into(),
        target: TextFile { path: "out.json".into(), text: None },
        options: "{}".into(),
        ..Request::default()
    }
}

//! Turns a plugin's bytes into something that can be called, at most once for each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wasmtime::component::{Component, HasSelf, Linker};

use super::bindings::{OutputPlugin, OutputPluginPre};
use super::cache::Cache;
use super::inspect::{self, Kind, Refusal};
use super::loaded::Loaded;
use super::sandbox::Sandbox;
use super::{Limits, compiler};
use crate::model::Digest;

/// The sandbox that plugins run in, with the cache of what was compiled before.
///
/// Making one costs nothing: wasmtime starts when the first plugin is asked for.
#[derive(Debug)]
pub struct Engine {
    cache: Option<PathBuf>,
    limits: Limits,
    runtime: OnceLock<Result<Runtime, String>>,
    loaded: Mutex<HashMap<Digest, Arc<Loaded>>>,
}

/// Why bytes did not become a plugin.
pub(super) enum LoadError {
    Refused(Refusal),
    NoSandbox(String),
}

impl From<Refusal> for LoadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Engine {
    /// An engine that keeps compiled plugins in the folder `cache`, or nowhere.
    ///
    /// The folder must be the user's own and no project's: who can write into it can run code as the user. A folder that
    /// others can write to is not used.
    #[must_use]
    pub fn new(cache: Option<PathBuf>, limits: Limits) -> Self {
        Self { cache, limits, runtime: OnceLock::new(), loaded: Mutex::default() }
    }

    /// The plugin of these bytes, whose digest the caller has. `compiled` is what they were compiled to when portkeeper was built.
    pub(super) fn load(
        &self,
        bytes: &[u8],
        digest: &Digest,
        compiled: Option<&'static [u8]>,
    ) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.loaded.lock().unwrap_or_else(PoisonError::into_inner).get(digest) {
            return Ok(Arc::clone(loaded));
        }
        let start = || Runtime::start(self.cache.clone()).map_err(|error| format!("{error:#}"));
        let runtime =
            self.runtime.get_or_init(start).as_ref().map_err(|reason| LoadError::NoSandbox(reason.clone()))?;
        let loaded = Arc::new(Loaded::new(runtime.prepare(bytes, digest, compiled)?, self.limits.deadline)?);
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, Arc::clone(&loaded));
        Ok(loaded)
    }
}

/// wasmtime, started.
struct Runtime {
    engine: wasmtime::Engine,
    linker: Linker<Sandbox>,
    cache: Option<Cache>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Runtime {
    fn start(cache: Option<PathBuf>) -> wasmtime::Result<Self> {
        let engine = wasmtime::Engine::new(&compiler::config())?;
        let mut linker = Linker::new(&engine);
        OutputPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)?;
        let cache = cache.map(|folder| Cache::new(folder, compatibility(&engine)));
        Ok(Self { engine, linker, cache })
    }

    /// Everything up to the point where only instances are missing.
    fn prepare(
        &self,
        bytes: &[u8],
        digest: &Digest,
        compiled: Option<&'static [u8]>,
    ) -> Result<OutputPluginPre<Sandbox>, Refusal> {
        let component = match compiled.and_then(|code| self.embedded(code)).or_else(|| self.cached(digest)) {
            Some(component) => component,
            None => self.compile(bytes, digest)?,
        };
        let misfit = |error: wasmtime::Error| {
            let reason = format!("it does not fit the plugin interface: {}", super::text::line(&format!("{error:#}")));
            Refusal::with_help(reason, "build it with the portkeeper-plugin-sdk of this portkeeper's version")
        };
        self.linker.instantiate_pre(&component).and_then(OutputPluginPre::new).map_err(misfit)
    }

    /// None when the code asks for more than this processor has.
    fn embedded(&self, code: &'static [u8]) -> Option<Component> {
        // SAFETY: `deserialize` wants what `serialize` or `precompile_component` made. The build script made this with the same
        // wasmtime, and it is as much a part of this program as any other of its code.
        #[expect(unsafe_code, reason = "loading compiled code is what makes a cold start fast")]
        unsafe { Component::deserialize(&self.engine, code) }.ok()
    }

    fn cached(&self, digest: &Digest) -> Option<Component> {
        let code = self.cache.as_ref()?.get(digest)?;
        // SAFETY: `deserialize_file` wants what `serialize` made, unchanged as long as it is mapped. The file is one that only this
        // user can have written, in a folder that only this user can write to, and it ends in the digest of the rest; only
        // `compile` below writes such files, from what `serialize` gave it, and replaces them by renaming, never in place. A
        // user who forges a file in the own cache gains nothing that the user could not do anyway.
        #[expect(unsafe_code, reason = "loading compiled code is what makes a warm start fast")]
        unsafe { Component::deserialize_file(&self.engine, code) }.ok()
    }

    fn compile(&self, bytes: &[u8], digest: &Digest) -> Result<Component, Refusal> {
        let encoded = match inspect::kind(bytes)? {
            Kind::Component => None,
            Kind::Module => Some(encode(bytes)?),
        };
        let bytes = encoded.as_deref().unwrap_or(bytes);
        inspect::component(bytes)?;
        let component = Component::from_binary(&self.engine, bytes).map_err(inspect::broken)?;
        if let Some((cache, code)) = self.cache.as_ref().zip(component.serialize().ok()) {
            cache.put(digest, &code);
        }
        Ok(component)
    }
}

/// A component from a core module that carries the section of wit-bindgen: what a plain `cargo build` leaves.
fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    inspect::module(module)?;
    let encoded = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| {
        let reason = format!(
            "it is a core module that cannot be made a component: {}",
            super::text::line(&format!("{error:#}"))
        );
        Refusal::with_help(reason, "build it with portkeeper-plugin-sdk for wasm32-unknown-unknown")
    })
}

/// What compiled code depends on besides the component: wasmtime's version, its settings and the processor's features, as one
/// hash. That the hash could change with the standard library does no harm.
fn compatibility(engine: &wasmtime::Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

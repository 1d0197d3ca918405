//! Turns a plugin's bytes into something that can be called, at most once for each.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use wasmtime::component::{Component, HasSelf, Linker};

use super::Limits;
use super::bindings::{Metadata, OutputPlugin, OutputPluginPre};
use super::cache::{Cache, CachePlace, Entry};
use super::compiler::{self, Fence, Meter};
use super::files::Content;
use super::inspect::{self, Interface, Kind, Refusal};
use super::loaded::{Caller, Loaded};
use super::reclaimer::MemoryReclaimer;
use super::sandbox::Sandbox;
use super::ticker::Ticker;
use crate::fs::describe;
use crate::model::Digest;
use crate::os;

/// The sandbox that plugins run in, with the cache of what was compiled before.
///
/// Making one costs nothing: wasmtime starts when the first plugin is asked for. From then on it handles the faults that the system
/// reports to the process (SIGSEGV, SIGILL and SIGFPE; on Windows and macOS exceptions): those of a plugin's code are the plugin's
/// crashes, all others go to the previous handler. For each memory of a plugin that runs, it sets aside 4 GiB of addresses, which take no
/// memory; a process whose addresses are limited (`RLIMIT_AS`) gets larger code instead. Some MiB that calls have used are given back when
/// the engine is dropped.
#[derive(Debug)]
pub struct Engine {
    cache: Option<CachePlace>,
    limits: Limits,
    /// For the built-in formats.
    ours: OnceLock<Result<Arc<Runtime>, String>>,
    /// For plugins of third parties.
    others: OnceLock<Result<Arc<Runtime>, String>>,
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
    /// An engine that keeps compiled plugins in the cache, or nowhere.
    ///
    /// Who can read or write the cache's key can run code as the user, so it must be the user's own and no project's. A directory that
    /// others can write to is not used.
    #[must_use]
    pub fn new(cache: Option<CachePlace>, limits: Limits) -> Self {
        Self { cache, limits, ours: OnceLock::new(), others: OnceLock::new(), loaded: Mutex::default() }
    }

    /// The plugin with this content, whose digest the caller has. What was compiled before is not read yet.
    pub(super) fn load(&self, content: Content, digest: &Digest) -> Result<Arc<Loaded>, LoadError> {
        if let Some(loaded) = self.loaded().get(digest) {
            return Ok(Arc::clone(loaded));
        }
        let runtime = self.runtime(content.meter())?;
        let loaded = match runtime.known(digest) {
            Some((entry, description)) => {
                let (runtime, digest) = (Arc::clone(runtime), *digest);
                Loaded::later(description, move || runtime.wake(entry, content, &digest))
            }
            None => runtime.meet(&runtime.component(content)?, digest),
        };
        Ok(self.remember(loaded?, digest))
    }

    /// Whether there is something to load the plugin from without compiling it.
    pub(super) fn knows(&self, content: &Content, digest: &Digest) -> bool {
        self.loaded().contains_key(digest)
            || self
                .runtime(content.meter())
                .is_ok_and(|runtime| runtime.cache.as_ref().is_some_and(|cache| cache.has(digest)))
    }

    /// The same from its bytes alone, whatever was compiled before; with what was found out on the way.
    pub(super) fn load_anew(&self, bytes: Vec<u8>, digest: &Digest) -> Result<(Arc<Loaded>, Compiled), LoadError> {
        let runtime = self.runtime(Meter::FuelAndClock)?;
        let compiled = runtime.compile(bytes)?;
        Ok((self.remember(runtime.meet(&compiled.component, digest)?, digest), compiled))
    }

    fn remember(&self, loaded: Loaded, digest: &Digest) -> Arc<Loaded> {
        let loaded = Arc::new(loaded);
        self.loaded().insert(*digest, Arc::clone(&loaded));
        loaded
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Loaded>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn runtime(&self, meter: Meter) -> Result<&Arc<Runtime>, LoadError> {
        let start = || Runtime::start(self.cache.clone(), meter, self.limits.clone()).map(Arc::new);
        let start = || start().map_err(|error| format!("{error:#}"));
        let runtime = match meter {
            Meter::Fuel => &self.ours,
            Meter::FuelAndClock => &self.others,
        };
        runtime.get_or_init(start).as_ref().map_err(|reason| LoadError::NoSandbox(reason.clone()))
    }
}

/// A component that was compiled just now.
pub(super) struct Compiled {
    component: Component,
    pub(super) kind: Kind,
    pub(super) interface: Interface,
    /// The component's size, in bytes: the file's, but for a core module.
    pub(super) size: usize,
    /// How long the compiling took.
    pub(super) time: Duration,
}

/// wasmtime, started.
struct Runtime {
    engine: wasmtime::Engine,
    linker: Linker<Sandbox>,
    /// None where no clock is looked at.
    ticker: Option<Ticker>,
    spent: MemoryReclaimer,
    cache: Option<Cache>,
    limits: Limits,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl Runtime {
    fn start(cache: Option<CachePlace>, meter: Meter, limits: Limits) -> wasmtime::Result<Self> {
        let fence = if os::address_space_is_limited() { Fence::Checks } else { Fence::AddressSpace };
        let engine = wasmtime::Engine::new(&compiler::config(cfg!(windows), fence, meter))?;
        let mut linker = Linker::new(&engine);
        OutputPlugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |sandbox| sandbox)?;
        let cache = cache.map(|place| Cache::new(place, compatibility(&engine)));
        let ticker = (meter == Meter::FuelAndClock).then(Ticker::default);
        Ok(Self { engine, linker, ticker, spent: MemoryReclaimer::new(fence), cache, limits })
    }

    /// The component that the content holds, compiled.
    fn component(&self, content: Content) -> Result<Component, Refusal> {
        match content.code().and_then(|code| self.shipped(&code)) {
            Some(component) => Ok(component),
            None => Ok(self.compile(content.into_bytes())?.component),
        }
    }

    /// Asks a plugin that is new here to describe itself, and keeps what it says.
    fn meet(&self, component: &Component, digest: &Digest) -> Result<Loaded, Refusal> {
        let caller = self.caller(component)?;
        let description = caller.describe(self.limits.describing)?;
        self.keep(component, &description, digest);
        Loaded::now(description, caller)
    }

    /// Loads the code of a plugin that was met before.
    fn wake(&self, entry: Entry, content: Content, digest: &Digest) -> Result<Caller, Refusal> {
        if let Some(component) = self.kept(entry) {
            return self.caller(&component);
        }
        let component = self.component(content)?;
        let caller = self.caller(&component)?;
        self.keep(&component, &caller.describe(self.limits.describing)?, digest);
        Ok(caller)
    }

    /// Everything up to the point where only instances are missing.
    fn caller(&self, component: &Component) -> Result<Caller, Refusal> {
        let misfit = |error: wasmtime::Error| {
            let reason = format!("it does not fit the plugin interface: {}", super::text::line(&format!("{error:#}")));
            Refusal::with_help(reason, "build it with the portkeeper-plugin-sdk of this portkeeper's version")
        };
        let pre = self.linker.instantiate_pre(component).and_then(OutputPluginPre::new).map_err(misfit)?;
        let (ticker, spent) = (self.ticker.clone(), self.spent.clone());
        Ok(Caller { pre, rendering: self.limits.rendering, ticker, spent })
    }

    /// The component of a built-in plugin's code. None when the code asks for more than this processor or this process has.
    fn shipped(&self, code: &[u8]) -> Option<Component> {
        // SAFETY: `deserialize` wants what `serialize` or `precompile_component` made. The build script made this with the same
        // wasmtime, and it is as much a part of this program as any other of its code.
        #[expect(unsafe_code, reason = "loading compiled code is what makes a cold start fast")]
        unsafe { Component::deserialize(&self.engine, code) }.ok()
    }

    /// What was kept of the component, and what it said of itself.
    fn known(&self, digest: &Digest) -> Option<(Entry, Metadata)> {
        let entry = self.cache.as_ref()?.get(digest)?;
        let description = serde_json::from_slice(entry.note()).ok()?;
        Some((entry, description))
    }

    /// The component that was kept.
    fn kept(&self, entry: Entry) -> Option<Component> {
        let compiled = entry.compiled()?;
        // SAFETY: `deserialize` wants what `serialize` made. Only `keep` below writes entries, from what `serialize` gave it, and these
        // bytes carry a code that can only be made with the key of this user's cache.
        #[expect(unsafe_code, reason = "loading compiled code is what makes a warm start fast")]
        unsafe { Component::deserialize(&self.engine, &compiled) }.ok()
    }

    /// Keeps the component, and what it says of itself. It is no loss if that fails.
    fn keep(&self, component: &Component, description: &Metadata, digest: &Digest) {
        let Some(cache) = &self.cache else { return };
        if let (Ok(code), Ok(description)) = (component.serialize(), serde_json::to_vec(description)) {
            cache.put(digest, &code, &description);
        }
    }

    /// Looks at the bytes and compiles them, within the time that there is for it. Neither can be interrupted: when they take too long the
    /// thread is left behind, and whatever it finds is dropped.
    fn compile(&self, bytes: Vec<u8>) -> Result<Compiled, Refusal> {
        let (sender, receiver) = mpsc::channel();
        let engine = self.engine.clone();
        let work = move || drop(sender.send(compile(&engine, &bytes)));
        let started = thread::Builder::new().name("plugin-compiler".into()).spawn(work);
        started
            .map_err(|error| Refusal::new(format!("the system has no thread to compile it: {}", describe(&error))))?;
        match receiver.recv_timeout(self.limits.compiling) {
            Ok(compiled) => compiled,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Err(Refusal::new(format!("it takes longer than {} s to compile", self.limits.compiling.as_secs_f64())))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(Refusal::new("the compiler crashed on it")),
        }
    }
}

fn compile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Compiled, Refusal> {
    let kind = inspect::kind(bytes)?;
    let bytes = component_of(bytes)?;
    let (interface, size) = (inspect::component(&bytes)?, bytes.len());
    let start = Instant::now();
    let component = Component::from_binary(engine, &bytes).map_err(inspect::broken)?;
    Ok(Compiled { component, kind, interface, size, time: start.elapsed() })
}

/// The component that a plugin's file holds: itself, or made from the core module that a plain `cargo build` leaves, which carries the
/// section of wit-bindgen.
pub(super) fn component_of(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Refusal> {
    match inspect::kind(bytes)? {
        Kind::Component => Ok(bytes.into()),
        Kind::Module => encode(bytes).map(Cow::Owned),
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    inspect::module(module)?;
    let encode = || {
        let encoder = wit_component::ComponentEncoder::default().validate(true).module(module);
        encoder.and_then(|mut encoder| encoder.encode())
    };
    let refusal = |why: &str| {
        let reason = format!("it is a core module that cannot be made a component: {why}");
        Refusal::with_help(reason, "build it with portkeeper-plugin-sdk for wasm32-unknown-unknown")
    };
    // The encoder takes for granted that its input is what a compiler wrote, and panics over some that is not.
    match std::panic::catch_unwind(encode) {
        Ok(encoded) => encoded.map_err(|error| refusal(&super::text::line(&format!("{error:#}")))),
        Err(_) => Err(refusal("what it says of its world makes no sense")),
    }
}

/// What compiled code depends on besides the component: wasmtime's version, its settings and the processor's features, as one
/// hash. That the hash could change with the standard library does no harm.
fn compatibility(engine: &wasmtime::Engine) -> String {
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was compiled with other limits in its code would run without them.
    #[test]
    fn the_name_of_cached_code_says_how_it_is_metered() {
        let name = |configure: &dyn Fn(&mut wasmtime::Config)| {
            let mut config = compiler::config(cfg!(windows), Fence::AddressSpace, Meter::FuelAndClock);
            configure(&mut config);
            compatibility(&wasmtime::Engine::new(&config).unwrap())
        };
        let usual = name(&|_| ());
        assert_eq!(name(&|_| ()), usual);
        assert_ne!(name(&|config| _ = config.consume_fuel(false)), usual);
        assert_ne!(name(&|config| _ = config.epoch_interruption(false)), usual);
    }
}

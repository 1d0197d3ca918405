//! A plugin that is ready to be called.

use std::io;
use std::sync::LazyLock;
use std::time::Instant;

use wasmtime::{Store, Trap};

use super::bindings::{OutputPlugin, OutputPluginPre};
use super::inspect::Refusal;
use super::reclaimer::MemoryReclaimer;
use super::sandbox::{Excess, Sandbox};
use super::ticker::Ticker;
use super::{Allowance, LogLine, Metadata, Rendered, Request, Usage, answer, bindings, limits, text};
use crate::fs::describe;

/// A plugin that has described itself, and whose code is loaded when it is first needed. Each call gets a fresh instance.
pub(super) struct Loaded {
    metadata: Metadata,
    caller: LazyLock<Result<Caller, Refusal>, Load>,
}

/// What it takes to load the code.
type Load = Box<dyn FnOnce() -> Result<Caller, Refusal> + Send>;

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// The plugin needs more than it may take.
    Excess(Excess),
    /// It does not work.
    Broken(String),
}

impl Fault {
    fn of(excess: Excess) -> Self {
        if excess.grows_with_the_request() { Self::Excess(excess) } else { Self::Broken(excess.to_string()) }
    }

    fn reason(self) -> String {
        match self {
            Self::Excess(excess) => excess.to_string(),
            Self::Broken(reason) => reason,
        }
    }
}

/// What became of a call, and what there is to report in either case.
pub(super) struct Outcome<T> {
    pub(super) result: Result<T, Fault>,
    pub(super) log: Vec<LogLine>,
    pub(super) usage: Usage,
}

impl Loaded {
    /// The plugin that said this of itself just now.
    pub(super) fn now(description: bindings::Metadata, caller: Caller) -> Result<Self, Refusal> {
        Self::later(description, || Ok(caller))
    }

    /// The plugin that said this of itself when it was met.
    pub(super) fn later(
        description: bindings::Metadata,
        load: impl FnOnce() -> Result<Caller, Refusal> + Send + 'static,
    ) -> Result<Self, Refusal> {
        let metadata = answer::metadata(description).map_err(Refusal::new)?;
        Ok(Self { metadata, caller: LazyLock::new(Box::new(load)) })
    }

    /// Loads the code, unless that was done. If it fails, the calls will say why.
    pub(super) fn get_ready(&self) {
        LazyLock::force(&self.caller);
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The plugin's answer, or its own no; else what it did wrong.
    pub(super) fn render(&self, request: &Request) -> Outcome<Result<Rendered, super::Failure>> {
        let caller = match &*self.caller {
            Ok(caller) => caller,
            Err(Refusal { reason, .. }) => {
                let broken = Err(Fault::Broken(reason.clone()));
                return Outcome { result: broken, log: Vec::new(), usage: Usage::default() };
            }
        };
        let wire = request.into();
        let Outcome { result, log, usage } =
            caller.call(caller.rendering, |plugin, store| plugin.portkeeper_output_plugin().call_render(store, &wire));
        let result = result.and_then(|answer| match answer {
            Ok(response) => answer::rendered(request, response).map(Ok).map_err(Fault::Broken),
            Err(failure) => Ok(Err(failure.into())),
        });
        Outcome { result, log, usage }
    }
}

/// What it takes to call a plugin that was compiled and linked.
pub(super) struct Caller {
    pub(super) pre: OutputPluginPre<Sandbox>,
    pub(super) rendering: Allowance,
    pub(super) ticker: Option<Ticker>,
    pub(super) spent: MemoryReclaimer,
}

impl Caller {
    /// Asks the plugin to describe itself.
    pub(super) fn describe(&self, allowed: Allowance) -> Result<bindings::Metadata, Refusal> {
        let described = self.call(allowed, |plugin, store| plugin.portkeeper_output_plugin().call_describe(store));
        described.result.map_err(|fault| Refusal::new(fault.reason()))
    }

    /// One call in a store and an instance of its own. What the instance does when it starts counts from its first instruction.
    fn call<T>(
        &self,
        allowed: Allowance,
        function: impl FnOnce(&OutputPlugin, &mut Store<Sandbox>) -> wasmtime::Result<T>,
    ) -> Outcome<T> {
        let engine = self.pre.engine();
        let start = Instant::now();
        let mut store = Sandbox::store(engine, allowed);
        let work = || {
            let plugin = self.pre.instantiate(&mut store)?;
            function(&plugin, &mut store)
        };
        let result = match &self.ticker {
            Some(ticker) => ticker.during(engine, work),
            None => Ok(work()),
        };
        let result = match result {
            Ok(result) => result.map_err(|error| explain(&error, allowed)),
            Err(error) => Err(Fault::Broken(format!("the system gives it no thread: {}", describe(&error)))),
        };
        let usage =
            Usage { time: start.elapsed(), memory: store.data().memory(), fuel: Sandbox::fuel_used(&store, allowed) };
        let log = store.data_mut().take_log();
        self.spent.take(store);
        Outcome { result, log, usage }
    }
}

/// What the plugin did, in words that its user understands.
fn explain(error: &wasmtime::Error, allowed: Allowance) -> Fault {
    if let Some(excess) = error.downcast_ref::<Excess>() {
        return Fault::of(*excess);
    }
    if is_out_of_memory(error) {
        return Fault::of(Excess::NoMemory);
    }
    let cause = error.root_cause().to_string();
    Fault::Broken(match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return Fault::of(Excess::Fuel(allowed.fuel)),
        Some(Trap::StackOverflow) => format!("it ran out of its stack of {} KiB", limits::STACK >> 10),
        Some(Trap::UnreachableCodeReached) => "it crashed (a panic or a failed assertion)".to_owned(),
        Some(trap) => format!("it crashed ({trap})"),
        // wasmtime has no type for this one.
        None if cause.contains("fuel allocated for hostcalls") => return Fault::of(Excess::Answer),
        None => format!("it broke the rules of the interface: {}", text::line(&cause)),
    })
}

/// Whether the system had no memory, or no addresses, for it.
fn is_out_of_memory(error: &wasmtime::Error) -> bool {
    let cause = error.root_cause();
    #[cfg(unix)]
    if let Some(errno) = cause.downcast_ref::<rustix::io::Errno>() {
        return *errno == rustix::io::Errno::NOMEM;
    }
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::OutOfMemory)
}

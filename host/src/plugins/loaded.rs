//! A plugin that is ready to be called.

use std::time::Duration;

use wasmtime::{Store, Trap};

use super::bindings::{OutputPlugin, OutputPluginPre};
use super::inspect::Refusal;
use super::sandbox::{Excess, Sandbox};
use super::{LogLine, Metadata, Rendered, Request, answer, limits, text, ticker};

/// A plugin that was compiled and linked and said who it is. Each call gets a fresh instance.
pub(super) struct Loaded {
    pre: OutputPluginPre<Sandbox>,
    deadline: Duration,
    metadata: Metadata,
}

impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded").field("metadata", &self.metadata).finish_non_exhaustive()
    }
}

/// What became of a call, and what the plugin logged in either case.
type Outcome<T> = (Result<T, String>, Vec<LogLine>);

impl Loaded {
    /// Asks the plugin who it is.
    pub(super) fn new(pre: OutputPluginPre<Sandbox>, deadline: Duration) -> Result<Self, Refusal> {
        let (described, _) =
            call(&pre, deadline, |plugin, store| plugin.portkeeper_output_plugin().call_describe(store));
        let metadata = described.and_then(answer::metadata).map_err(Refusal::new)?;
        Ok(Self { pre, deadline, metadata })
    }

    pub(super) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The plugin's answer, or its own no; else what it did wrong.
    pub(super) fn render(&self, request: &Request) -> Outcome<Result<Rendered, super::Failure>> {
        let wire = request.into();
        let (answer, log) =
            call(&self.pre, self.deadline, |plugin, store| plugin.portkeeper_output_plugin().call_render(store, &wire));
        let outcome = answer.and_then(|answer| match answer {
            Ok(response) => answer::rendered(request, response).map(Ok),
            Err(failure) => Ok(Err(failure.into())),
        });
        (outcome, log)
    }
}

/// One call in a store and an instance of its own, with the clock running from the first instruction.
fn call<T>(
    pre: &OutputPluginPre<Sandbox>,
    deadline: Duration,
    function: impl FnOnce(&OutputPlugin, &mut Store<Sandbox>) -> wasmtime::Result<T>,
) -> Outcome<T> {
    let engine = pre.engine();
    let mut store = Sandbox::store(engine, deadline);
    let result = ticker::while_ticking(engine, || {
        let plugin = pre.instantiate(&mut store)?;
        function(&plugin, &mut store)
    });
    let result = match result {
        Ok(result) => result.map_err(|error| explain(&error)),
        Err(error) => Err(format!("the system gives it no thread: {error}")),
    };
    (result, store.into_data().into_log())
}

/// What the plugin did, in words that its user understands.
fn explain(error: &wasmtime::Error) -> String {
    if let Some(excess) = error.downcast_ref::<Excess>() {
        return excess.to_string();
    }
    let cause = error.root_cause().to_string();
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => format!("it ran out of its stack of {} KiB", limits::STACK >> 10),
        Some(Trap::UnreachableCodeReached) => "it crashed (a panic or a failed assertion)".to_owned(),
        Some(trap) => format!("it crashed ({trap})"),
        // wasmtime has no type for this one.
        None if cause.contains("fuel allocated for hostcalls") => {
            format!("it handed over more than {} MiB at once", limits::ANSWER >> 20)
        }
        None => format!("it broke the rules of the interface: {}", text::line(&cause)),
    }
}

//! What a running plugin has used up, and what it said: the state of one call.

use std::mem;
use std::time::{Duration, Instant};

use thiserror::Error;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::bindings::portkeeper::output::{log, types};
use super::{LogLine, limits, text};

/// The state of one call: nothing of it outlives the call.
pub(super) struct Sandbox {
    memory: usize,
    table_elements: usize,
    log_bytes: usize,
    log: Vec<LogLine>,
}

/// A limit that a plugin ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Excess {
    #[error("it did not finish within {} s", .0.as_secs_f64())]
    Time(Duration),
    #[error("it wanted more than {} MiB of memory", limits::MEMORY >> 20)]
    Memory,
    #[error("the system does not give it the memory that it wants")]
    NoMemory,
    #[error("it wanted tables of more than {} elements", limits::TABLE_ELEMENTS)]
    Table,
    #[error("it logged more than {} lines or {} MiB", limits::LOG_LINES, limits::LOG_BYTES >> 20)]
    Log,
}

impl Sandbox {
    /// A fresh store whose plugin has `deadline` from now on, as long as something advances the engine's epoch.
    pub(super) fn store(engine: &wasmtime::Engine, deadline: Duration) -> Store<Self> {
        let mut store = Store::new(engine, Self { memory: 0, table_elements: 0, log_bytes: 0, log: Vec::new() });
        store.limiter(|sandbox| sandbox);
        store.set_hostcall_fuel(limits::ANSWER);
        // Only an engine that counts takes it.
        let _ = store.set_fuel(u64::MAX);
        let end = Instant::now() + deadline;
        store.set_epoch_deadline(1);
        // Every tick asks the clock, so that it does not matter how many tickers advance the engine's epoch at a time.
        store.epoch_deadline_callback(move |_| match Instant::now() < end {
            true => Ok(UpdateDeadline::Continue(1)),
            false => Err(Excess::Time(deadline).into()),
        });
        store
    }

    /// What the plugin took, where the engine counts it.
    pub(super) fn fuel_used(store: &Store<Self>) -> Option<u64> {
        store.get_fuel().ok().map(|left| u64::MAX - left)
    }

    /// All linear memories together, in bytes. They never shrink, so this is the most that there was.
    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Takes what the plugin logged.
    pub(super) fn take_log(&mut self) -> Vec<LogLine> {
        mem::take(&mut self.log)
    }
}

/// Growth beyond a limit is an error and not a refusal that the plugin could handle: a plugin that comes so far is broken, and
/// the user should hear of it. So is growth that the system does not allow: an answer must not depend on how much memory is free.
impl ResourceLimiter for Sandbox {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.memory = self.memory.saturating_add(desired.saturating_sub(current));
        if self.memory > limits::MEMORY { Err(Excess::Memory.into()) } else { Ok(true) }
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.table_elements = self.table_elements.saturating_add(desired.saturating_sub(current));
        if self.table_elements > limits::TABLE_ELEMENTS { Err(Excess::Table.into()) } else { Ok(true) }
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Excess::NoMemory.into())
    }

    fn table_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Excess::NoMemory.into())
    }

    fn instances(&self) -> usize {
        limits::INSTANCES
    }

    fn tables(&self) -> usize {
        limits::TABLES
    }

    fn memories(&self) -> usize {
        limits::MEMORIES
    }
}

impl types::Host for Sandbox {}

impl log::Host for Sandbox {
    fn emit(&mut self, level: String, message: String) -> wasmtime::Result<()> {
        self.log_bytes = self.log_bytes.saturating_add(level.len() + message.len());
        if self.log.len() == limits::LOG_LINES || self.log_bytes > limits::LOG_BYTES {
            return Err(Excess::Log.into());
        }
        self.log.push(LogLine { level: text::line(&level), message: text::message(&message) });
        Ok(())
    }
}

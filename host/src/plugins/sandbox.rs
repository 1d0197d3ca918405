//! What a running plugin has used up, and what it said: the state of one call.

use std::mem;
use std::time::{Duration, Instant};

use thiserror::Error;
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::bindings::portkeeper::output::{log, types};
use super::text::grouped;
use super::{Allowance, LogLine, limits, text};

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
    #[error("it did not finish within {}, the limit", instructions(*.0))]
    Fuel(u64),
    #[error("it did not finish within {} s, the limit", .0.as_secs_f64())]
    Time(Duration),
    #[error("it needs {} MiB of memory, more than the limit of {} MiB", .wanted.div_ceil(1 << 20), limits::MEMORY >> 20)]
    Memory { wanted: usize },
    #[error("it handed over more than {} MiB, the limit", limits::ANSWER >> 20)]
    Answer,
    #[error("the system does not give it the memory that it wants")]
    NoMemory,
    #[error("it wanted tables of more than {} elements", limits::TABLE_ELEMENTS)]
    Table,
    #[error("it logged more than {} lines or {} MiB", limits::LOG_LINES, limits::LOG_BYTES >> 20)]
    Log,
}

impl Excess {
    /// Whether a larger request can be the reason. The others no honest plugin meets.
    pub(super) fn grows_with_the_request(self) -> bool {
        match self {
            Self::Fuel(_) | Self::Time(_) | Self::Memory { .. } | Self::NoMemory | Self::Answer => true,
            Self::Table | Self::Log => false,
        }
    }
}

/// `20,000 million instructions`
fn instructions(fuel: u64) -> String {
    match fuel {
        0..1_000_000 => format!("{} instructions", grouped(fuel)),
        _ => format!("{} million instructions", grouped(fuel / 1_000_000)),
    }
}

impl Sandbox {
    /// A fresh store whose plugin has what is allowed from now on, as long as something advances the engine's epoch.
    pub(super) fn store(engine: &wasmtime::Engine, Allowance { fuel, time }: Allowance) -> Store<Self> {
        let mut store = Store::new(engine, Self { memory: 0, table_elements: 0, log_bytes: 0, log: Vec::new() });
        store.limiter(|sandbox| sandbox);
        store.set_hostcall_fuel(limits::ANSWER);
        store.set_fuel(fuel).expect("the engine counts");
        let end = Instant::now() + time;
        store.set_epoch_deadline(1);
        // Every tick asks the clock, so that it does not matter how many tickers advance the engine's epoch at a time.
        store.epoch_deadline_callback(move |_| match Instant::now() < end {
            true => Ok(UpdateDeadline::Continue(1)),
            false => Err(Excess::Time(time).into()),
        });
        store
    }

    /// What the plugin took of its fuel.
    pub(super) fn fuel_used(store: &Store<Self>, Allowance { fuel, .. }: Allowance) -> u64 {
        fuel.saturating_sub(store.get_fuel().unwrap_or_default())
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
        if self.memory > limits::MEMORY { Err(Excess::Memory { wanted: self.memory }.into()) } else { Ok(true) }
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

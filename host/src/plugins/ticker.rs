//! The clock that running plugins are measured against.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::{io, thread};

use super::limits;

/// Advances an engine's epoch, once per tick, while plugins run: one thread for all of them, which is there from the first call
/// until a tick finds none.
#[derive(Debug, Clone, Default)]
pub(super) struct Ticker(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// How many calls run.
    calls: usize,
    /// Whether the thread does.
    ticks: bool,
}

impl Ticker {
    /// Does the work while the engine's epoch advances.
    ///
    /// # Errors
    /// The system has no thread for us.
    pub(super) fn during<T>(&self, engine: &wasmtime::Engine, work: impl FnOnce() -> T) -> io::Result<T> {
        let _call = self.begin(engine)?;
        Ok(work())
    }

    fn begin(&self, engine: &wasmtime::Engine) -> io::Result<Call<'_>> {
        let mut state = self.state();
        if !state.ticks {
            let (ticker, engine) = (self.clone(), engine.clone());
            thread::Builder::new().name("plugin-ticker".into()).spawn(move || ticker.run(&engine))?;
            state.ticks = true;
        }
        state.calls += 1;
        Ok(Call(self))
    }

    fn run(&self, engine: &wasmtime::Engine) {
        loop {
            thread::sleep(limits::TICK);
            engine.increment_epoch();
            let mut state = self.state();
            if state.calls == 0 {
                state.ticks = false;
                return;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that runs, however it ends.
struct Call<'a>(&'a Ticker);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.state().calls -= 1;
    }
}

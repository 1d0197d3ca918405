//! The clock that interrupts plugins.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;

use super::limits;

/// Does the work while a thread advances the engine's epoch, once per tick. The thread ends with the work.
///
/// # Errors
/// The system has no thread for us.
pub(super) fn while_ticking<T>(engine: &wasmtime::Engine, work: impl FnOnce() -> T) -> io::Result<T> {
    let (work_goes_on, end_of_work) = mpsc::channel::<()>();
    thread::scope(|scope| {
        thread::Builder::new().name("plugin-ticker".into()).spawn_scoped(scope, move || {
            while end_of_work.recv_timeout(limits::TICK) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        })?;
        let result = work();
        drop(work_goes_on);
        Ok(result)
    })
}

//! What calls of plugins leave behind.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;

use super::compiler::Fence;
use super::limits;
use super::sandbox::Sandbox;

/// The stores of calls that have ended: their memory is given back when the last clone of this goes.
///
/// Giving it back immediately can take as long as the call: each processor that runs another thread of this process is interrupted to
/// forget where the memory was. So a little of it is left for the end, which for a command is that of its process.
#[derive(Clone)]
pub(super) struct MemoryReclaimer {
    stores: Arc<Mutex<Vec<Store<Sandbox>>>>,
    most: usize,
}

impl MemoryReclaimer {
    /// None yet. Where addresses are what is short, none are kept.
    pub(super) fn new(fence: Fence) -> Self {
        let most = match fence {
            Fence::AddressSpace => limits::SPENT,
            Fence::Checks => 0,
        };
        Self { stores: Arc::default(), most }
    }

    /// Takes a store that is not called any more. What is more than a little is given back now.
    pub(super) fn take(&self, store: Store<Sandbox>) {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let used: usize = stores.iter().chain([&store]).map(|store| store.data().memory()).sum();
        if used <= limits::SPENT_MEMORY && stores.len() < self.most {
            stores.push(store);
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::ResourceLimiter as _;

    use super::super::compiler::{self, Meter};
    use super::*;
    use crate::plugins::Limits;

    /// How many stores are kept of ten times as many as may be, each with so much memory.
    fn kept(fence: Fence, memory: usize) -> usize {
        let engine = wasmtime::Engine::new(&compiler::config(false, fence, Meter::Fuel)).unwrap();
        let spent = MemoryReclaimer::new(fence);
        for _ in 0..10 * limits::SPENT {
            let mut store = Sandbox::store(&engine, Limits::default().rendering);
            assert!(store.data_mut().memory_growing(0, memory, None).unwrap());
            spent.take(store);
        }
        spent.stores.lock().unwrap().len()
    }

    #[test]
    fn only_a_little_is_kept() {
        assert_eq!(kept(Fence::AddressSpace, 0), limits::SPENT);
        assert_eq!(kept(Fence::AddressSpace, limits::SPENT_MEMORY / 4), 4);
        assert_eq!(kept(Fence::AddressSpace, limits::MEMORY), 0);
        assert_eq!(kept(Fence::Checks, 0), 0);
    }
}

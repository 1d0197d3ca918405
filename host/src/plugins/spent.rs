//! What calls of plugins leave behind.

use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::Store;

use super::compiler::Fence;
use super::limits;
use super::sandbox::Sandbox;

/// The stores of calls that have ended: their memory is given back when the last clone of this goes.
///
/// To give it back at once can take as long as the call: each processor that runs another thread of this process is interrupted to forget
/// where the memory was. So a little of it is left for the end, which for a command is that of its process.
#[derive(Clone)]
pub(super) struct Spent {
    stores: Arc<Mutex<Vec<Store<Sandbox>>>>,
    most: usize,
}

impl Spent {
    /// None yet. Where addresses are what is short, none are kept.
    pub(super) fn new(fence: Fence) -> Self {
        let most = match fence {
            Fence::AddressSpace => limits::SPENT,
            Fence::Checks => 0,
        };
        Self { stores: Arc::default(), most }
    }

    /// Takes a store that nobody calls any more. What is more than a little is given back now.
    pub(super) fn take(&self, store: Store<Sandbox>) {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let used: usize = stores.iter().chain([&store]).map(|store| store.data().memory()).sum();
        if used <= limits::SPENT_MEMORY && stores.len() < self.most {
            stores.push(store);
        }
    }
}

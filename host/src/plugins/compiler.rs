//! What a plugin can rely on, the same on every machine. The build script compiles the built-in formats with these settings, the engine
//! all other plugins.

use wasmtime::{Config, OptLevel};

use super::limits;

/// What keeps a plugin inside its memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fence {
    /// Nothing that a 32-bit pointer can reach belongs to anything else: 4 GiB of address space are set aside for each memory, and what
    /// the plugin does not have of it traps. No memory is used for that.
    AddressSpace,
    /// A check before each access, for processes whose address space is limited (`ulimit -v`): the code is a third larger.
    Checks,
}

/// What ends code that runs too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meter {
    /// Each instruction takes fuel, on every machine the same. That is all that the built-in formats need.
    Fuel,
    /// There is a look at the clock besides: hostile code can make an instruction take a hundred times as long as usual. The code is an
    /// eighth larger.
    FuelAndClock,
}

/// The settings of the sandbox and of the code that runs in it. Windows takes no code without the means to unwind it.
pub(super) fn config(for_windows: bool, fence: Fence, meter: Meter) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(true)
        .epoch_interruption(meter == Meter::FuelAndClock)
        .max_wasm_stack(limits::STACK)
        // The same request gives the same bytes: no instruction whose result is the processor's choice.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        // Each instance lives for one call: nothing would share an image of its memory.
        .memory_init_cow(false)
        // Backtraces of compiled plugins are never read, and what they need makes up a large part of the code.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(for_windows)
        // A render takes a fraction of a millisecond either way, compiling for it takes hundreds.
        .cranelift_opt_level(OptLevel::None)
        .concurrency_support(false);
    match fence {
        // What wasmtime does by itself.
        Fence::AddressSpace => {}
        Fence::Checks => {
            config.memory_reservation(limits::MEMORY as u64).memory_reservation_for_growth(0).memory_guard_size(0);
            // Each thread would take addresses, too.
            config.parallel_compilation(false);
        }
    }
    config
}

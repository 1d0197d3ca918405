//! What a plugin may use. A plugin is other people's code, and each of these stops one way of harming the host with it.

use std::time::Duration;

/// The limits that the caller may move.
#[derive(Debug, Clone)]
pub struct Limits {
    /// What one rendering may take.
    pub rendering: Allowance,
    /// What a plugin may take to describe itself.
    pub describing: Allowance,
    /// How long compiling a plugin may take, once for each plugin. The default of two minutes is for a whole interpreter of another
    /// language on a loaded machine: those of 20 MB take some ten seconds.
    pub compiling: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rendering: Allowance { fuel: RENDERING_FUEL, time: Duration::from_secs(120) },
            describing: Allowance { fuel: DESCRIBING_FUEL, time: Duration::from_secs(30) },
            compiling: Duration::from_secs(120),
        }
    }
}

/// What one call may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Instructions, about: what is allowed on one machine is allowed on all of them, however slow or busy they are.
    pub fuel: u64,
    /// By the wall clock. It is there for hostile code, which can take long with few instructions, and so long that a busy machine stops no
    /// honest plugin. The built-in formats have no such limit.
    pub time: Duration,
}

/// The default for a rendering. A file of 50,000 lines with 1,000 keys takes a built-in format a tenth of it; in an endless loop it lasts
/// for some seconds.
const RENDERING_FUEL: u64 = 20_000_000_000;

/// The default for a description. A whole interpreter of another language that starts takes a hundredth of it.
const DESCRIBING_FUEL: u64 = 5_000_000_000;

/// A request with less text than this, in bytes, is small: what does not render it is at fault itself.
pub(super) const SMALL_REQUEST: usize = 64 * 1024;

/// How often a running plugin is asked whether its time is up.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// All linear memories of one call together, in bytes.
pub(super) const MEMORY: usize = 64 * MIB;

/// How many calls may leave their memory behind until the engine goes.
pub(super) const SPENT: usize = 64;

/// How much they may leave together, in bytes. An honest call takes little more than a MiB.
pub(super) const SPENT_MEMORY: usize = 16 * MIB;

/// All tables of one call together, in elements.
pub(super) const TABLE_ELEMENTS: usize = 100_000;

/// Core instances of one call.
pub(super) const INSTANCES: usize = 64;

/// Tables of one call.
pub(super) const TABLES: usize = 64;

/// Linear memories of one call.
pub(super) const MEMORIES: usize = 8;

/// The stack of WebAssembly code, in bytes.
pub(super) const STACK: usize = 512 * 1024;

/// What a plugin may hand to the host in one piece, in bytes: its whole answer, or one line of the log.
pub(super) const ANSWER: usize = 16 * MIB;

/// The log of one call, in bytes.
pub(super) const LOG_BYTES: usize = MIB;

/// The log of one call, in lines; also the diagnostics of one answer.
pub(super) const LOG_LINES: usize = 1_000;

/// A message of a plugin, in characters; what is longer is cut off.
pub(super) const MESSAGE: usize = 4_000;

/// A plugin's file, in bytes.
pub const FILE: u64 = 32 * 1024 * 1024;

/// How often a file may instantiate components. Components nest, and each level may instantiate the one below several times:
/// without a limit, thirty lines of them unfold into a billion instances while they are compiled. What the usual tools make
/// needs one or two.
pub(super) const INSTANTIATIONS: usize = 16;

/// The code of one function, in bytes. A compiler takes several thousand bytes of memory for each of them. The largest of a
/// JavaScript engine has 170 KiB.
pub(super) const FUNCTION: usize = 512 * 1024;

/// The local variables of one function times the places that branches go to in it. A compiler looks at every variable in every such
/// place: 100 KB of WebAssembly can make it take a gigabyte. The most of a JavaScript engine is 200,000.
pub(super) const FUNCTION_STATES: usize = 5_000_000;

/// All functions of a file. A JavaScript engine has 30,000; each takes a third of a millisecond and several thousand bytes to compile.
pub(super) const FUNCTIONS: usize = 80_000;

/// All exports, imports and aliases of a file. What links the libraries of a Python interpreter has some thousands.
pub(super) const NAMES: usize = 30_000;

/// The code of all functions of a file, in bytes.
pub(super) const CODE: usize = 20 * MIB;

const MIB: usize = 1024 * 1024;

//! Finds the plugin of an output's type, and runs it in a sandbox.
//!
//! A plugin is a WebAssembly component that gets a request and gives back text. It can reach nothing: its only import is a log.
//! It is still other people's code, so nothing that it says is taken on trust, and nothing that it does can last longer or take
//! more than `limits` allows.
//!
//! The way of a plugin, one file each: `catalogue` finds its bytes and decides whether they may run, `inspect` looks at what they are
//! (`size` at how much), `engine` compiles and links them (`cache` remembers), `loaded` calls them in a `sandbox` against a `ticker`, and
//! `answer` checks what comes back; `over_limit` says what was too much, and `crash` knows what to blame. `examine` goes that way with a
//! plugin that the user asks about, trusted or not.
//!
//! How the interface grows, and how a second version of it will stand beside the first, is written in `wit/README.md`.

mod answer;
mod bindings;
mod builtin;
mod cache;
mod cache_key;
mod catalogue;
mod compiler;
mod crash;
mod engine;
mod error;
mod examine;
mod files;
mod inspect;
mod limits;
mod loaded;
mod over_limit;
mod packages;
mod paths;
mod plugin;
mod reclaimer;
mod release;
mod sandbox;
mod size;
mod text;
mod ticker;
mod types;

pub use builtin::is_built_in;
pub use cache::{CacheEntry, CachePlace, Cached};
pub use catalogue::{Catalogue, ExplicitPlugin, Pins, Sources, TypeInfo};
pub use crash::in_compiler;
pub use engine::Engine;
pub use error::{Broken, PluginError, RenderError};
pub use examine::{Examined, to_component};
pub use files::{PROJECT_DIRECTORY, plugin_files};
pub use inspect::{Interface, Kind, is_plugin};
pub use limits::{Allowance, FILE as LARGEST_PLUGIN, Limits};
pub use over_limit::{Cause, OverLimit, RequestSize};
pub use paths::is_type_name;
pub use plugin::{Origin, Plugin};
pub use text::grouped;
pub use types::{
    Diagnostic, Failure, LogLine, Metadata, OutFile, Rendered, Request, ReservedPort, Severity, TextFile, Usage,
};

//! What the author of a portkeeper output plugin needs.
//!
//! A plugin is a type with two functions: [`Plugin::describe`] says who it is, and [`Plugin::render`] makes a file's new text
//! out of its old one, the reserved ports and the output's options. [`export_plugin!`] makes a WebAssembly component's exports
//! of it. This is a whole plugin:
//!
//! ```
//! use portkeeper_plugin_sdk::{Failure, Metadata, Plugin, Request, Response, export_plugin};
//!
//! struct Shell;
//!
//! impl Plugin for Shell {
//!     fn describe() -> Metadata {
//!         Metadata::new("shell", "0.1.0", "Shell assignments, one per entry").output_types(["shell"]).default_path("ports.sh")
//!     }
//!
//!     fn render(request: &Request) -> Result<Response, Failure> {
//!         let lines = request.entries.iter().map(|(key, value)| format!("{key}='{value}'\n"));
//!         Ok(Response::target(request, lines.collect::<String>()))
//!     }
//! }
//!
//! export_plugin!(Shell);
//!
//! let request = Request::new("ports.sh").entry("PORT", "8888");
//! assert_eq!(Shell::render(&request).unwrap().files[0].text, "PORT='8888'\n");
//! ```
//!
//! It is built for `wasm32-unknown-unknown` with `crate-type = ["cdylib", "rlib"]`; for every other target the same code compiles
//! without WebAssembly, so that its tests are ordinary tests. Two promises are the author's: the same request gives the
//! same response, and rendering the response's text again changes nothing.
//!
//! The README of this crate is a guide: ten minutes from nothing to a format that people can install.
//!
//! Helpers for what formats share: [`options`] read into a serde type, [`json`] values, the places that a map names in a document
//! ([`leaf`]), `.env` files edited line by line ([`env_file`]), blocks between marker comments ([`block`]), changes of a text that are made
//! together ([`edits`]) and of lists in brackets ([`brackets`]), line ends ([`text`]),
//! suggestions for misspelt words ([`suggest`]) and lines for the user who asked to see more ([`log`]).
//!
//! Features, none of them on by default, because each adds to a plugin's size: `jsonc` for JSON documents with comments, `yaml` for YAML
//! documents, `schema` for the schema of options out of their type.

pub mod block;
pub mod brackets;
pub mod context;
pub mod edits;
pub mod env_file;
pub mod json;
#[cfg(feature = "jsonc")]
pub mod jsonc;
pub mod leaf;
pub mod log;
pub mod options;
pub mod suggest;
pub mod text;
#[cfg(feature = "yaml")]
pub mod yaml;

mod failure;
mod metadata;
mod plugin;
mod request;
mod response;

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;

#[cfg(feature = "schema")]
pub use schemars;

pub use failure::Failure;
pub use metadata::Metadata;
pub use plugin::Plugin;
pub use request::{Request, Reservation, TextFile};
pub use response::{Diagnostic, OutFile, Response, Severity};

/// Named values beyond the fields of a record: the one place where the interface grows. Skip the names that you do not know.
pub type Attributes = Vec<(String, String)>;

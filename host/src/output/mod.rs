//! From an output of the config to a file on the disk.
//!
//! A prepare goes through this room once for all of its outputs: first everything is read and rendered, then everything is written, or
//! nothing.
//!
//! ```no_run
//! use portkeeper::config::Config;
//! use portkeeper::document::FieldPath;
//! use portkeeper::output::{FileSet, Handling, Root, Variables, entries, expand_map};
//!
//! # fn render(_: Option<&str>, _: &[(String, String)]) -> String { String::new() }
//! # fn confirm_reservations() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::load("pk.config.json".as_ref())?;
//! let keys = [("SERVICE_PORT".to_owned(), "8888".to_owned())];
//! let environment = |name: &str| std::env::var(name).ok();
//! let variables = Variables::new(&keys, &environment);
//!
//! let root = Root::new(config.directory())?;
//! let mut files = FileSet::default();
//! for (index, output) in config.outputs.iter().enumerate() {
//!     let field = FieldPath::root().key("outputs").index(index);
//!     let map = output.map.clone().unwrap_or_default();
//!     let map = expand_map(&map, &variables)
//!         .map_err(|error| config.error_at(field.clone().key("map").join(&error.path), error.problem))?;
//!     let path = output.path.as_deref().unwrap_or(".env");
//!     let target = root.target(path, &|_| false)
//!         .map_err(|error| config.error_at(field.key("path"), error))?;
//!     let text = render(files.text(&target)?, &entries(&map));
//!     files.put(&target, text, Handling { backup: output.backup, sensitive: false })?;
//! }
//! print!("{}", files.diff()); // --diff
//! let written = files.write()?;
//! if let Err(error) = confirm_reservations() {
//!     written.undo()?;
//!     return Err(error);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Several outputs may share a file: [`FileSet::text`] gives each the text of the one before, and the file is written once.
//!
//! Two prepares of one project in parallel: hold a lock of the project (in the user's state directory, named after the project) from the
//! first [`FileSet::text`] to the end of [`FileSet::write`]. Without one nothing is lost either, because a file that has changed since it
//! was read is not written; but then one of the two fails.

mod diff;
mod expand;
mod file_set;
mod map;
mod off_limits;
mod place;
mod read;
mod staging;
mod target;
mod transaction;

pub use expand::{ExpandProblem, Variables, expand};
pub use file_set::{FileSet, Handling};
pub use map::{ExpandError, entries, expand_map};
pub use off_limits::belongs_to_portkeeper;
pub use read::{FileError, LARGEST};
pub use target::{Root, Target, TargetError};
pub use transaction::{Fault, UndoError, WriteError, Written};

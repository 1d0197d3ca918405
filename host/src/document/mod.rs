//! Documents that people write: where in one a field stands, which word they probably meant, what changed, and what of it may be
//! shown.
//!
//! The rooms that read or check a config share these; none of them has to know another one for it.

#[cfg(feature = "plugins")]
mod closest;
#[cfg(feature = "plugins")]
mod difference;
#[cfg(feature = "plugins")]
mod field_path;
#[cfg(feature = "plugins")]
mod harmless;
mod plain;

#[cfg(feature = "plugins")]
pub use closest::closest;
#[cfg(feature = "plugins")]
pub use difference::Difference;
#[cfg(feature = "plugins")]
pub use field_path::{FieldPath, Step};
#[cfg(feature = "plugins")]
pub use harmless::{harmless, harmless_line, harmless_lines};
pub use plain::{data_problem, json_error, json_problem};
#[cfg(feature = "plugins")]
pub use plain::{yaml_error, yaml_problem};

//! Documents that people write: where in one a field stands, which word they probably meant, what changed, and what of it may be
//! shown.
//!
//! The rooms that read or check a config share these; none of them has to know another one for it.

mod closest;
mod difference;
mod field_path;
mod harmless;
mod plain;

pub use closest::closest;
pub use difference::Difference;
pub use field_path::{FieldPath, Step};
pub use harmless::{harmless, harmless_line, harmless_lines};
pub use plain::{data_problem, json_error, json_problem, yaml_error, yaml_problem};

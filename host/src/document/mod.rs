//! Documents that people write: where in one a field stands, and which word they probably meant.
//!
//! The rooms that read or check a config share these; none of them has to know another one for it.

mod closest;
mod field_path;

pub use closest::closest;
pub use field_path::{FieldPath, Step};

//! The commands, one file each: its arguments, whose comments are the help text, and the function that runs it.

pub(crate) mod completions;
pub(crate) mod gc;
pub(crate) mod man;
pub(crate) mod port;
pub(crate) mod prepare;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod reserve_network;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod trust;

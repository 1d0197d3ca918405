//! The commands, one file each: its arguments, whose comments are the help text, and the function that runs it.

pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gc;
#[cfg(target_os = "linux")]
pub(crate) mod holder;
pub(crate) mod import;
pub(crate) mod kill;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod pick;
pub(crate) mod plugin;
pub(crate) mod port;
pub(crate) mod prepare;
pub(crate) mod release;
pub(crate) mod reserve;
pub(crate) mod reserve_network;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod trust;
pub(crate) mod wait;

//! What every command needs: where things are, what to print with, and how to end.

mod answered;
mod args;
mod color;
mod context;
mod crash;
mod deferred;
mod duration;
mod error;
mod help;
mod holding;
mod misread;
mod names;
mod network_args;
mod normalise;
mod number;
mod parser_text;
mod plugin_library;
mod prepare_env;
mod printer;
mod progress;
mod protocols;
mod refusal;
mod scan_view;
mod sections;
mod slips;
mod streams;
mod table;
mod tokens;
mod typed;
mod view;

pub(crate) use args::{Format, GlobalArgs, SelectionArgs, WriteEnv, env_key};
pub(crate) use color::Color;
pub(crate) use context::Context;
pub(crate) use crash::report_crashes;
pub(crate) use deferred::{Deferred, define_all_commands};
pub(crate) use duration::{duration, seconds, time_to_live};
pub(crate) use error::{About, CommandError, CommandResult};
pub(crate) use help::{Documented, Help};
#[cfg(target_os = "linux")]
pub(crate) use holding::HOLDER;
pub(crate) use holding::HoldArgs;
pub(crate) use misread::{detached_hold_kind, misplaced_dashes, misread};
pub(crate) use names::{NameArgs, PortAsked, ScopeArgs, current_project, named_here, port_asked};
pub(crate) use network_args::{NetworkArgs, network};
pub(crate) use normalise::normalise;
pub(crate) use number::count;
pub(crate) use parser_text::print_parser_text;
pub(crate) use plugin_library::PluginLibrary;
pub(crate) use prepare_env::PrepareEnv;
pub(crate) use printer::Printer;
pub(crate) use progress::ScanProgress;
pub(crate) use protocols::ProtocolsParser;
pub(crate) use scan_view::{event_view, finished_view, scan_summary, scan_table};
pub(crate) use sections::Sections;
pub(crate) use table::Table;
pub(crate) use tokens::{fill_in, misspelt};
pub(crate) use typed::typed;
pub(crate) use view::{
    LeaseView, NetworkReservedView, OccupiedView, ReleasedView, ReservedView, StatusView, age, lease_text, other_user,
};

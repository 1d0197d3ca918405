//! What every command needs: where things are, what to print with, and how to end.

mod args;
mod context;
mod error;
mod network_args;
mod normalise;
mod printer;
mod progress;
mod scan_view;
mod stage;
mod table;
mod view;

pub(crate) use args::{Format, GlobalArgs, SelectionArgs, WriteEnv};
pub(crate) use context::Context;
pub(crate) use error::{CommandError, CommandResult};
pub(crate) use network_args::NetworkArgs;
pub(crate) use normalise::normalise;
pub(crate) use printer::Printer;
pub(crate) use progress::ScanProgress;
pub(crate) use scan_view::{event_view, finished_view, scan_summary, scan_table};
pub(crate) use stage::Stage;
pub(crate) use table::Table;
pub(crate) use view::{NetworkReservedView, ReservedView, StatusView, age, lease_text};

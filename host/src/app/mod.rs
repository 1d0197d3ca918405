//! What every command needs: where things are, what to print with, and how to end.

mod args;
mod context;
mod error;
mod names;
mod normalise;
mod printer;
mod sections;
mod stage;
mod table;
mod view;

pub(crate) use args::{Format, GlobalArgs, SelectionArgs, WriteEnv, duration};
pub(crate) use context::Context;
pub(crate) use error::{CommandError, CommandResult};
pub(crate) use names::{named_here, port_or_name};
pub(crate) use normalise::normalise;
pub(crate) use printer::Printer;
pub(crate) use sections::Sections;
pub(crate) use stage::Stage;
pub(crate) use table::Table;
pub(crate) use view::{LeaseView, OccupiedView, ReservedView, StatusView, age, lease_text};

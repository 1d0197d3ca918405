//! `portkeeper port`

use std::process::ExitCode;

use clap::Args;

use super::reserve::select;
use crate::app::{CommandResult, Context, HoldArgs, NameArgs, SelectionArgs};

#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    #[command(flatten)]
    names: NameArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    hold: HoldArgs,
}

pub(crate) fn run(context: &Context, args: &PortArgs) -> CommandResult {
    for granted in select(context, &args.names, &args.selection, &args.hold)? {
        context.printer.line(granted.reservation.port)?;
    }
    Ok(ExitCode::SUCCESS)
}

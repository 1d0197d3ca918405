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
    let granted = select(context, &args.names, &args.selection, &args.hold)?;
    let answer = granted.iter().try_for_each(|granted| context.printer.line(granted.reservation.port));
    context.answered(&granted, args.selection.env_file(), answer)?;
    Ok(ExitCode::SUCCESS)
}

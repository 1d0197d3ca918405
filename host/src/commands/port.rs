//! `portkeeper port`

use std::process::ExitCode;

use clap::Args;

use super::reserve::select;
use crate::app::{CommandResult, Context, Documented, Help, HoldArgs, NameArgs, SelectionArgs};
use crate::reserve::with_twins;

#[derive(Debug, Args)]
pub(crate) struct PortArgs {
    #[command(flatten)]
    names: NameArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    hold: HoldArgs,
}

impl Documented for PortArgs {
    const HELP: Help = Help {
        description: "\
            For command lines: `python3 -m http.server $(portkeeper port web)`. With a NAME it is the same port every time, and a \
            different one in every project and worktree.",
        examples: &[
            ("portkeeper port web", "The port that this project calls web"),
            ("portkeeper port --global example.com/apache", "A name that is the same in every directory"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &PortArgs) -> CommandResult {
    let granted = select(context, &args.names, &args.selection, &args.hold)?;
    let answer = with_twins(&granted).try_for_each(|(granted, _)| context.printer.line(granted.reservation.port));
    context.answered(&granted, args.selection.env_file(), answer)?;
    Ok(ExitCode::SUCCESS)
}

//! `portkeeper port`

use std::process::ExitCode;

use clap::Args;

use super::reserve::select;
use crate::app::{CommandResult, Context, Documented, Format, Help, HoldArgs, NameArgs, SelectionArgs};
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
    let ports: Vec<_> = with_twins(&granted).map(|(granted, _)| granted.reservation.port).collect();
    let answer = match (context.printer.format_or_text(), &ports[..]) {
        (Format::Json, several @ [_, _, ..]) => context.printer.json(&several),
        _ => ports.iter().try_for_each(|port| context.printer.line(port)),
    };
    context.answered(&granted, args.selection.env_file(), answer)?;
    Ok(ExitCode::SUCCESS)
}

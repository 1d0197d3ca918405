//! `portkeeper plugin remove`

use std::process::ExitCode;

use clap::Args;

use crate::app::answers::RemovedFiles;
use crate::app::{CommandError, CommandResult, Context, Format, PluginLibrary};
use crate::install::{InstallError, Scope, Turn, remove};
use crate::plugins::is_built_in;

/// Remove an installed plugin, with all the types that it renders
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// A type that it renders
    #[arg(value_name = "TYPE")]
    name: String,

    /// Remove it from the project around the current directory, and from its portkeeper.lock
    #[arg(long)]
    project: bool,
}

pub(crate) fn run(context: &Context, args: &RemoveArgs) -> CommandResult {
    let mut shelf = PluginLibrary::new(context)?;
    let scope = if args.project { Scope::Project(&shelf.project) } else { Scope::User(&shelf.settings.plugins) };
    let (locks, patience) = (shelf.settings.locks(), context.patience());
    let turn = Turn { locks: &locks, patience: &patience };
    let removed = remove(&args.name, scope, turn).map_err(|error| explain(error, args))?;
    if args.project {
        for path in &removed {
            shelf.trust.remove(path, &context.patience())?;
        }
    }
    let printer = &context.printer;
    match printer.format() {
        Format::Table => {
            removed.iter().try_for_each(|path| printer.line(format_args!("removed {}", path.display())))?;
        }
        Format::Json | Format::Jsonl => printer.json(&RemovedFiles { removed: &removed })?,
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(error: InstallError, args: &RemoveArgs) -> CommandError {
    let not_there = matches!(error, InstallError::NotThere { .. });
    let error = CommandError::from(error);
    match not_there {
        true if is_built_in(&args.name) => error.hint("what is built in stays"),
        true if !args.project => error.hint("--project removes a plugin of the project"),
        _ => error,
    }
}

//! `portkeeper completions`

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::app::{CommandResult, Context};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(context: &Context, args: &CompletionsArgs, mut command: clap::Command) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "portkeeper", &mut script);
    context.printer.text(String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

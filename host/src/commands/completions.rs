//! `portkeeper completions`

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use crate::app::{CommandResult, Context, Documented, Help};

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

impl Documented for CompletionsArgs {
    const HELP: Help = Help {
        description: "\
            Load it in the shell's startup file, or save it where the shell looks for completions.",
        examples: &[
            ("portkeeper completions bash", "For bash: source it from ~/.bashrc"),
            ("portkeeper completions fish", "For fish: save it as ~/.config/fish/completions/portkeeper.fish"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &CompletionsArgs, mut command: clap::Command) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "portkeeper", &mut script);
    context.printer.text(String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

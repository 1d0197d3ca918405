//! `portkeeper man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::{CommandResult, Context};
use crate::fs::PathContext;

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this directory, which is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &ManArgs, command: clap::Command) -> CommandResult {
    match &args.directory {
        Some(directory) => {
            std::fs::create_dir_all(directory).at(directory)?;
            clap_mangen::generate_to(command, directory).at(directory)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            context.printer.text(String::from_utf8_lossy(&page))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

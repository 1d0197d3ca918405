//! `portkeeper man`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::{CommandResult, Context};
use crate::fs::PathContext;

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this folder
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &ManArgs, command: clap::Command) -> CommandResult {
    match &args.folder {
        Some(folder) => clap_mangen::generate_to(command, folder).at(folder)?,
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            context.printer.text(String::from_utf8_lossy(&page))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

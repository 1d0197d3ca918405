//! `portkeeper schema`

use std::process::ExitCode;

use clap::Args;

use crate::app::{CommandResult, Context};
use crate::config;

/// Print the JSON Schema of the config, for editors
///
/// Save it and name it in the config: `"$schema": "./pk.schema.json"`.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {}

pub(crate) fn run(context: &Context, _: &SchemaArgs) -> CommandResult {
    context.printer.line(format_args!("{:#}", config::schema()))?;
    Ok(ExitCode::SUCCESS)
}

//! `portkeeper plugin new`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::NewPlugin;
use crate::app::{CommandResult, Context, Format};
use crate::authoring::{Sdk, scaffold};

/// Make a crate for a new plugin in Rust: it builds, and its tests pass
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The type that the plugin renders
    #[arg(value_name = "NAME")]
    name: String,

    /// Where to make it [default: a directory with that name]
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// Take the SDK from this directory, a checkout of portkeeper's `plugin-sdk`, instead of its release
    #[arg(long, value_name = "DIRECTORY")]
    sdk: Option<PathBuf>,
}

pub(crate) fn run(context: &Context, args: &NewArgs) -> CommandResult {
    let sdk = args.sdk.as_deref().map_or(Sdk::Released, Sdk::Directory);
    let directory = args.directory.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let files = scaffold(&args.name, &directory, sdk)?;
    let (printer, name) = (&context.printer, &args.name);
    match printer.format() {
        Format::Table => files.iter().try_for_each(|file| printer.line(file.display()))?,
        Format::Json | Format::Jsonl => {
            printer.json(&NewPlugin { name, directory: &directory, files: &files })?;
        }
    }
    printer.note(format_args!(
        "next: cd {} && cargo test && portkeeper plugin build && portkeeper plugin test {name}.wasm",
        directory.display()
    ));
    Ok(ExitCode::SUCCESS)
}

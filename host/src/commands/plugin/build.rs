//! `portkeeper plugin build`

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::words;
use crate::app::answers::BuiltPlugin;
use crate::app::{CommandError, CommandResult, Context, Format};
use crate::authoring::{self, Cargo};
use crate::fs::write_to;
use crate::plugins::{Engine, Examined, Limits, PluginError};

/// Build a plugin's crate to the component that portkeeper runs, and check it
///
/// Calls cargo in release mode for wasm32-unknown-unknown, makes a component of what it leaves, and checks that it fits the interface and
/// needs nothing beyond it. What follows `--` goes to `cargo build`.
#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// The crate's directory
    #[arg(value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,

    /// Where to write the component; a device or pipe gets it as a stream [default: TYPE.wasm in the crate's directory, after the first
    /// type that it renders]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Arguments for cargo build
    #[arg(last = true, value_name = "ARGS")]
    cargo: Vec<String>,
}

pub(crate) fn run(context: &Context, args: &BuildArgs) -> CommandResult {
    let program = |variable: &str, name: &str| std::env::var_os(variable).unwrap_or_else(|| OsString::from(name));
    let cargo =
        Cargo { cargo: program("CARGO", "cargo"), rustc: program("RUSTC", "rustc"), arguments: args.cargo.clone() };
    let component = authoring::build(&args.directory, &cargo)?;
    let engine = Engine::new(None, Limits::default());
    let examined = engine.examine_bytes(component, &args.directory).map_err(|error| explain(error, args))?;
    let output = output(args, &examined)?;
    write_to(&output, &examined.bytes)?;
    print(context, &examined, &output)?;
    Ok(ExitCode::SUCCESS)
}

/// There is no file yet that could be named.
fn explain(error: PluginError, args: &BuildArgs) -> CommandError {
    let PluginError::Unusable { reason, help, .. } = error else { return error.into() };
    let directory = args.directory.display();
    let error =
        CommandError::environment(format_args!("what {directory} builds to cannot be used as a plugin: {reason}"));
    match help {
        Some(help) => error.hint(help),
        None => error,
    }
}

fn output(args: &BuildArgs, examined: &Examined) -> Result<PathBuf, CommandError> {
    if let Some(output) = &args.output {
        return Ok(output.clone());
    }
    let first = examined.plugin.metadata().output_types.first();
    let first = first.ok_or_else(|| {
        CommandError::usage("the plugin renders no type: `output_types` in its `describe` names them")
    })?;
    let name = PathBuf::from(format!("{first}.wasm"));
    Ok(if args.directory == Path::new(".") { name } else { args.directory.join(name) })
}

fn print(context: &Context, examined: &Examined, output: &Path) -> std::io::Result<()> {
    let (printer, metadata) = (&context.printer, examined.plugin.metadata());
    if printer.format() != Format::Table {
        return printer.json(&BuiltPlugin {
            path: output,
            name: &metadata.name,
            version: &metadata.version,
            types: &metadata.output_types,
            size_bytes: examined.bytes.len(),
            sha256: examined.plugin.digest().to_string(),
            interface: &examined.interface.version,
            imports: &examined.interface.imports,
        });
    }
    printer.line(format_args!(
        "{}: {} {}, {}, interface portkeeper:output {}, compiles in {}",
        output.display(),
        metadata.name,
        metadata.version,
        words::size(examined.bytes.len()),
        examined.interface.version,
        words::time(examined.compile_time),
    ))
}

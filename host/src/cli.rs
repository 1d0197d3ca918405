//! The command line as a whole: which commands there are, and what becomes of their errors.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::app::{CommandError, CommandResult, Context, GlobalArgs, normalise};
use crate::commands::{
    completions, gc, man, port, prepare, release, reserve, reserve_network, scan, schema, status, trust,
};

/// Make a port yours, from the moment it is chosen until your server listens on it
#[derive(Debug, Parser)]
#[command(name = "portkeeper", version, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Reserve(reserve::ReserveArgs),
    Port(port::PortArgs),
    Release(release::ReleaseArgs),
    Status(status::StatusArgs),
    Gc(gc::GcArgs),
    Prepare(prepare::PrepareArgs),
    Scan(scan::ScanArgs),
    ReserveNetwork(reserve_network::ReserveNetworkArgs),
    Trust(trust::TrustArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Parses the process' arguments, runs the command, and says how it ended.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(normalise(std::env::args_os())) {
        Ok(cli) => cli,
        Err(error) => {
            // Usage errors are 2; help and version go to stdout and are 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let context = Context::new(cli.globals);
    run(&context, &cli.command).unwrap_or_else(|error| {
        context.printer.error(&error);
        error.exit_code()
    })
}

fn run(context: &Context, command: &Command) -> CommandResult {
    match command {
        Command::Reserve(args) => reserve::run(context, args),
        Command::Port(args) => port::run(context, args),
        Command::Release(args) => release::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::Gc(args) => gc::run(context, args),
        Command::Prepare(args) => prepare::run(context, args),
        Command::Scan(args) => scan::run(context, args),
        Command::ReserveNetwork(args) => reserve_network::run(context, args),
        Command::Trust(args) => trust::run(context, args),
        Command::Schema(args) => schema::run(context, args),
        Command::Completions(args) => completions::run(context, args, Cli::command()),
        Command::Man(args) => man::run(context, args, Cli::command()),
    }
}

/// An answer that can't be written, for example to a full disk, was not given.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::environment(format_args!("the answer can't be written: {error}"))
    }
}

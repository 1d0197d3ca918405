//! The command line as a whole: which commands there are, and what becomes of their errors.

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

#[cfg(target_os = "linux")]
use crate::app::HOLDER;
use crate::app::{CommandError, CommandResult, Context, GlobalArgs, normalise, report_crashes};
#[cfg(target_os = "linux")]
use crate::commands::holder;
use crate::commands::{
    completions, doctor, explain, gc, import, kill, list, man, pick, plugin, port, prepare, release, reserve,
    reserve_network, run, scan, schema, status, trust, wait,
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
    Run(Box<run::RunArgs>),
    Release(release::ReleaseArgs),
    Status(status::StatusArgs),
    List(list::ListArgs),
    Pick(pick::PickArgs),
    Gc(gc::GcArgs),
    Wait(wait::WaitArgs),
    #[command(visible_alias = "who")]
    Explain(explain::ExplainArgs),
    Kill(kill::KillArgs),
    Doctor(doctor::DoctorArgs),
    Prepare(prepare::PrepareArgs),
    Import(import::ImportArgs),
    Plugin(plugin::PluginArgs),
    Scan(scan::ScanArgs),
    ReserveNetwork(reserve_network::ReserveNetworkArgs),
    Trust(trust::TrustArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Parses the process' arguments, runs the command, and says how it ended.
pub(crate) fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|first| first == HOLDER) {
        // Before anything is opened: a holder closes everything.
        return holder::run();
    }
    report_crashes();
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
        Command::Run(args) => run::run(context, args),
        Command::Release(args) => release::run(context, args),
        Command::Status(args) => status::run(context, args),
        Command::List(args) => list::run(context, args),
        Command::Pick(args) => pick::run(context, args),
        Command::Gc(args) => gc::run(context, args),
        Command::Wait(args) => wait::run(context, args),
        Command::Explain(args) => explain::run(context, args),
        Command::Kill(args) => kill::run(context, args),
        Command::Doctor(args) => doctor::run(context, args),
        Command::Prepare(args) => prepare::run(context, args),
        Command::Import(args) => import::run(context, args),
        Command::Plugin(args) => plugin::run(context, args),
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

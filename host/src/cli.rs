//! The command line as a whole: which commands there are, and what becomes of their errors.

use std::ffi::OsString;
use std::process::ExitCode;
use std::{io, mem};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(target_os = "linux")]
use crate::app::HOLDER;
use crate::app::{
    Color, CommandError, CommandResult, Context, Deferred, GlobalArgs, Printer, define_all_commands,
    detached_hold_kind, misplaced_dashes, misread, normalise, print_parser_text, report_crashes,
};
#[cfg(target_os = "linux")]
use crate::commands::holder;
use crate::commands::{
    completions, doctor, explain, gc, import, kill, list, man, pick, plugin, port, prepare, release, reserve,
    reserve_network, run, scan, schema, status, trust, wait,
};
use crate::fs::describe;

/// Make a port yours, from the moment it is chosen until your server listens on it
#[derive(Debug, Parser)]
#[command(name = "portkeeper", version, subcommand_required = true, arg_required_else_help = true)]
#[command(after_long_help = "\
Examples:
  portkeeper port web
          A port for this project's web server: the same one every time
  portkeeper run web -- npm run dev
          Run the server on it, and keep all other programs away
  portkeeper prepare
          Reserve the ports of a config and write them into its files")]
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reserve one or more ports and print them as JSON
    Reserve(Deferred<reserve::ReserveArgs>),
    /// Reserve one or more ports and print the bare numbers
    Port(Deferred<port::PortArgs>),
    /// Reserve a port and run a server on it
    Run(Box<Deferred<run::RunArgs>>),
    /// Release reservations and print which
    Release(Deferred<release::ReleaseArgs>),
    /// Show all reservations and what listens on them
    Status(Deferred<status::StatusArgs>),
    /// List names and their ports as `name: port`
    List(Deferred<list::ListArgs>),
    /// Pick free ports without reserving them and print the bare numbers
    Pick(Deferred<pick::PickArgs>),
    /// Remove stale reservations and report why
    Gc(Deferred<gc::GcArgs>),
    /// Wait until servers listen or ports are free
    Wait(Deferred<wait::WaitArgs>),
    /// Explain who is using a port, who reserved it, and how to get it
    #[command(visible_alias = "who")]
    Explain(Deferred<explain::ExplainArgs>),
    /// Stop the process that is using a port
    Kill(Deferred<kill::KillArgs>),
    /// Diagnose common problems and suggest fixes
    Doctor(Deferred<doctor::DoctorArgs>),
    /// Reserve the ports of a whole stack and write them into its files
    Prepare(Deferred<prepare::PrepareArgs>),
    /// Import what the Python tools have recorded
    Import(Deferred<import::ImportArgs>),
    /// Use, inspect and build plugins: WebAssembly components that render output types
    Plugin(Deferred<plugin::PluginArgs>),
    /// Show the hosts of the local network and their open and free ports
    Scan(Deferred<scan::ScanArgs>),
    /// Reserve a port on a host of the local network
    ReserveNetwork(Deferred<reserve_network::ReserveNetworkArgs>),
    /// Trust a project's plugin, or a file outside of the project
    Trust(Deferred<trust::TrustArgs>),
    /// Print the JSON Schema of the config, for editors
    Schema(Deferred<schema::SchemaArgs>),
    /// Print a completion script for a shell
    Completions(Deferred<completions::CompletionsArgs>),
    /// Print the manual page, or write the pages of all commands into a directory
    Man(Deferred<man::ManArgs>),
}

/// Parses the process' arguments, runs the command, and says how it ended.
pub(crate) fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if std::env::args_os().nth(1).is_some_and(|first| first == HOLDER) {
        // Before anything is opened: a holder closes everything.
        return holder::run();
    }
    report_crashes();
    let words = normalise(std::env::args_os());
    let cli = match parse(&words) {
        Ok(cli) => cli,
        Err(error) => {
            Color::of_words(&words).choose();
            return refuse(&words, &error);
        }
    };
    cli.globals.color.choose();
    let context = Context::new(cli.globals);
    if let Err(error) = context.enter_directory() {
        let error = if matches!(cli.command, Command::Run(_)) { error.of_run() } else { error };
        error.print(&context.printer);
        return error.exit_code();
    }
    let slip = match cli.command {
        Command::Run(_) => misplaced_dashes(&words, |words| parse(words).is_ok()),
        Command::Reserve(_) | Command::Port(_) | Command::ReserveNetwork(_) => detached_hold_kind(&words),
        _ => None,
    };
    if let Some(error) = slip {
        error.print(&context.printer);
        return error.exit_code();
    }
    run(&context, &cli.command).unwrap_or_else(|error| {
        let error = context.with_hint(error);
        error.print(&context.printer);
        error.exit_code()
    })
}

/// Says what is wrong with the words. Usage errors are 2; help and version go to stdout and are 0.
fn refuse(words: &[OsString], error: &clap::Error) -> ExitCode {
    let commands: Vec<_> = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    if let Some(better) = misread(words, error, &commands, |words| parse(words).is_ok()) {
        better.print(&Printer::new(None, false));
        return better.exit_code();
    }
    match print_parser_text(error, words, |words| parse(words).err()) {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(error) => {
            let error = CommandError::from(error);
            error.print(&Printer::new(None, false));
            error.exit_code()
        }
    }
}

/// What the words mean.
///
/// clap makes every command that it knows ready before it looks at the words, which takes longer than to do what most commands do. So
/// at first it knows only the command that is meant. Words that make no sense then, and calls for help, are left to the whole.
fn parse(words: &[OsString]) -> Result<Cli, clap::Error> {
    let mut commands = Command::augment_subcommands(clap::Command::new("portkeeper"));
    if let Some(meant) = words.iter().skip(1).find_map(|word| commands.find_subcommand_mut(word).map(mem::take)) {
        let part = GlobalArgs::augment_args(clap::Command::new("portkeeper")).subcommand(meant);
        if let Ok(cli) = part.try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches)) {
            return Ok(cli);
        }
    }
    define_all_commands();
    Cli::try_parse_from(words)
}

/// The whole command line, for what is made from it.
fn command_line() -> clap::Command {
    define_all_commands();
    Cli::command()
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
        Command::Completions(args) => completions::run(context, args, command_line()),
        Command::Man(args) => man::run(context, args, command_line()),
    }
}

/// An answer that cannot be written, for example to a full disk, was not given.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::environment(format_args!("the answer cannot be written: {}", describe(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_word_is_a_command_where_one_stands() {
        let cli = parsed("portkeeper --registry status list").unwrap();
        assert_eq!(cli.globals.registry.unwrap(), std::path::Path::new("status"));
        assert!(matches!(cli.command, Command::List(_)));
        assert!(matches!(parsed("portkeeper who 8080").unwrap().command, Command::Explain(_)));
        assert!(matches!(parsed("portkeeper release status").unwrap().command, Command::Release(_)));
    }

    #[test]
    fn what_makes_no_sense_is_explained_as_by_the_whole_command_line() {
        for line in ["portkeeper", "portkeeper statsu", "portkeeper status --nowhere", "portkeeper help reserve"] {
            let whole = Cli::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(parsed(line).unwrap_err().to_string(), whole.to_string());
        }
        assert!(parsed("portkeeper statsu").unwrap_err().to_string().contains("'status'"));
    }

    #[test]
    fn every_command_has_examples_and_each_is_one_that_it_takes() {
        for command in command_line().get_subcommands() {
            let mut command = command.clone();
            let help = command.render_long_help().to_string();
            let (_, examples) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{help}"));
            let examples: Vec<_> = examples.lines().filter(|line| !line.starts_with("    ")).collect();
            assert!(examples.len() >= 2, "{help}");
            for example in examples {
                parsed(example.trim()).unwrap_or_else(|error| panic!("{example}: {error}"));
            }
        }
    }

    /// What a new option that is a path means, the list says; the suite then puts files of every kind there.
    #[test]
    fn every_path_of_the_command_line_is_classified() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tests/suite/path_options.txt");
        let list = std::fs::read_to_string(list).unwrap();
        let classified = list.lines().filter(|line| !line.starts_with('#'));
        let mut classified: Vec<_> = classified.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
        let mut found = Vec::new();
        let mut whole = Cli::command();
        whole.build();
        paths_of(&whole, "portkeeper", &mut found);
        classified.sort();
        found.sort();
        assert_eq!(found, classified);
    }

    fn paths_of(command: &clap::Command, name: &str, found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let value = argument.get_value_names().map(|names| names.join(" ")).unwrap_or_default();
            let is_path =
                argument.get_value_hint() == clap::ValueHint::AnyPath || value.split('|').any(|word| word == "FILE");
            let is_of_all = argument.is_global_set() && name != "portkeeper";
            if is_path && !is_of_all {
                let option = argument.get_long().map_or(value, |long| format!("--{long}"));
                found.push(format!("{name} {option}"));
            }
        }
        for below in command.get_subcommands() {
            let name = if name == "portkeeper" { String::new() } else { format!("{name} ") };
            paths_of(below, &format!("{name}{}", below.get_name()), found);
        }
    }
}

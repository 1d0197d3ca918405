//! The command line as a whole: which commands there are, and what becomes of their errors.

use std::ffi::OsString;
use std::process::ExitCode;
use std::{io, mem};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

#[cfg(target_os = "linux")]
use crate::app::HOLDER;
use crate::app::{
    CommandError, CommandResult, Context, Deferred, GlobalArgs, Printer, misplaced_dashes, misread, normalise,
    report_crashes,
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
struct Cli {
    #[command(flatten)]
    globals: GlobalArgs,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Reserve a port, or several, and print them as JSON
    ///
    /// A reservation keeps every other user of portkeeper away from the port. With a NAME it lasts until it is released, and the same
    /// name always gives the same port. Without one, and without --ttl, --for-pid or --write-env, it lasts while something listens on the
    /// port, and for 60 seconds in any case: time enough to start a server. With --hold the kernel keeps other programs away as well,
    /// until the port is released.
    Reserve(Deferred<reserve::ReserveArgs>),
    /// Reserve a port, or several, and print the bare numbers
    ///
    /// For command lines: `python3 -m http.server $(portkeeper port web)`. With a NAME it is the same port every time.
    Port(Deferred<port::PortArgs>),
    /// Reserve a port, and run a server that gets it
    ///
    /// The port is the server's from before it starts until it ends: no other program can take it, not even while the server restarts.
    /// In the arguments {PORT} and {HOST} are replaced; the environment has PORT and HOST. With several ports there are {PORT1},
    /// {PORT2} and so on, with a config each key: {SERVICE_PORT}. Signals are passed on, what the command leaves behind ends with it, and
    /// its exit code comes back; 125 means that portkeeper itself failed, 126 that the command cannot be run, 127 that there is none,
    /// 128+n that signal n has ended it.
    ///
    /// Unless --handover says otherwise, the server is handed the port in the best way that works:
    ///
    ///   adopt    the server's own bind gets portkeeper's socket. Any server; the port is never free, clients wait while it restarts
    ///   fds      the sockets are passed as systemd does: for servers that take LISTEN_FDS. The same guarantee
    ///   gated    the server binds beside sockets that keep everyone else out. Early clients are refused
    ///   release  the port is let go just before the server starts. No guarantee
    #[command(verbatim_doc_comment)]
    Run(Box<Deferred<run::RunArgs>>),
    /// End reservations, and say which
    ///
    /// A port or a name that is not reserved is an error (exit code 1); the others are released all the same. Reservations of other
    /// machines, containers and network namespaces that share the registry stay.
    Release(Deferred<release::ReleaseArgs>),
    /// Show the reservations, and what listens on them now
    Status(Deferred<status::StatusArgs>),
    /// List names and their ports, as `name: port`
    ///
    /// Those of the project that the current directory is in, whether a command gave them or a config; outside of any project your global
    /// ones. `status` shows all reservations, and what listens on them.
    List(Deferred<list::ListArgs>),
    /// Pick free ports without reserving them, and print the bare numbers
    ///
    /// Ports that are reserved or in use are passed over. Nobody else is kept from taking a port that was only picked: `reserve` and
    /// `port` make one yours.
    Pick(Deferred<pick::PickArgs>),
    /// End the reservations that are stale, and say why
    ///
    /// Stale is only what is proven: the process has ended, the time is up, nothing listens after the grace, the project's directory
    /// is gone. Every reserve collects most of them on its way, too.
    Gc(Deferred<gc::GcArgs>),
    /// Wait until servers listen, or until ports are free
    ///
    /// A port is occupied when any address of its host takes a connection. It is free when none does and, on this machine, nothing is
    /// bound there; what is left of closed connections does not count. With several targets, each of them has to be as wished once.
    ///
    /// Without an option it waits until a server listens. Silent and 0 when it is so. When the time is up, a line for each target on stderr and exit code 1. Looks at least once; without
    /// --timeout it waits for ever.
    Wait(Deferred<wait::WaitArgs>),
    /// Explain who is using a port, who reserved it, and how to get it
    ///
    /// Looks at the registry, at the listening and bound sockets of this network namespace with their processes, at the kernel's settings
    /// and at the policy. The first line is the verdict, the last one what to do. Free and taken are both answers: the exit code is 0.
    #[command(visible_alias = "who")]
    Explain(Deferred<explain::ExplainArgs>),
    /// Stop the process that is using a port
    ///
    /// Without --force only the listener of a reservation of this project; for a reservation that belongs to no project, one that works in
    /// this project or comes from whoever reserved the port. It is asked to end (SIGTERM), and killed (SIGKILL) when it has not after --timeout, together with the processes that share its socket.
    /// On a terminal it is shown first, and you are asked; elsewhere --yes says that you want it.
    ///
    /// Never killed: portkeeper itself, pid 1, what this command runs in, containers and what listens for them. It says what to do
    /// instead.
    Kill(Deferred<kill::KillArgs>),
    /// Diagnose common problems and suggest fixes
    ///
    /// The registry and its lock, stale reservations, the kernel's settings, the clock, and what else portkeeper depends on. Nothing is
    /// changed. Exit code 1 when there is a problem; notes are none.
    Doctor(Deferred<doctor::DoctorArgs>),
    /// Reserve the ports of a whole stack, and write them into its files
    ///
    /// One config names the ports and the files. All ports are reserved or none; everything is rendered before anything is written,
    /// and everything is written or nothing. Run again it gives the same ports and writes only what changed. A key that is no longer
    /// in the config is released.
    Prepare(Deferred<prepare::PrepareArgs>),
    /// Take over what the Python tools have recorded
    ///
    /// What cannot be taken over is skipped, said with its place, and makes the exit code 1: an entry that is damaged, and one whose name
    /// or port is here already with something else. What is here stays as it is. The file is only read.
    Import(Deferred<import::ImportArgs>),
    /// Use, look at and make plugins: WebAssembly components that render further output types
    Plugin(Deferred<plugin::PluginArgs>),
    /// Show which hosts are in the local network, and which of their ports are open or free
    ///
    /// Without a TARGET, --interface, --cidr and --host: the networks that this machine is in. Scan only networks that are yours, or whose owners
    /// agree. `free` means that the host said so now; a firewall's answer or none means nothing.
    Scan(Deferred<scan::ScanArgs>),
    /// Reserve a port on a host of the local network
    ///
    /// On an address of this machine the port is tested by binding it. On another machine it counts as free when a scan finds it closed;
    /// the reservation keeps it from others who ask this registry, and from nobody on that machine. Without --port, --range and --profile
    /// it is one of 8000-9000.
    ReserveNetwork(Deferred<reserve_network::ReserveNetworkArgs>),
    /// Let a project's plugin run, or let a project write a file that is not in it
    ///
    /// A plugin that comes with a repository or a config is other people's code: it runs only after you have said so here, as it
    /// is now; changed, it has to be trusted anew. Any other file becomes one that the configs of the current project may write, though
    /// it is not in the project's directory.
    Trust(Deferred<trust::TrustArgs>),
    /// Print the JSON Schema of the config, for editors
    ///
    /// It knows the options of every installed format. Those of a plugin that may not run are left out, and so are those of a type that
    /// is not installed: a config may have any. Save it and name it in the config: `"$schema": "./pk.schema.json"`.
    Schema(Deferred<schema::SchemaArgs>),
    /// Print a completion script for a shell
    Completions(Deferred<completions::CompletionsArgs>),
    /// Print the manual page, or write those of all commands into a directory
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
        Err(error) => return refuse(&words, &error),
    };
    let context = Context::new(cli.globals);
    if let Command::Run(_) = cli.command
        && let Some(error) = misplaced_dashes(&words, |words| parse(words).is_ok())
    {
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
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
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
    Cli::try_parse_from(words)
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
}

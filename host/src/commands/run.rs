//! `portkeeper run`

mod ports;
mod report;
mod taking;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::app::{
    CommandError, CommandResult, Context, Documented, Help, NameArgs, SelectionArgs, duration, env_key, fill_in,
    misspelt,
};
use crate::handover::{self, Ended, HandoverError, Method, MethodError, Run};
use crate::registry::RegistryError;
use ports::Ports;
use report::Reporter;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Reserve the ports of a config and write its files, as prepare does, and run the command with all of them
    #[arg(long, short, value_name = "FILE", conflicts_with_all = [
        "names", "port", "preferred", "range", "profile", "count", "host", "protocol", "owner", "write_env", "env_path", "env_key",
    ])]
    config: Option<PathBuf>,

    /// The environment variable for the port, besides PORT; once for each port [default: as for --write-env]
    #[arg(long, value_name = "KEY", value_parser = env_key)]
    env_key: Vec<String>,

    /// How the server gets the port: auto, adopt, fds, gated or release
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = handover)]
    handover: Handover,

    /// Let clients queue before the server has bound its port: for servers that do not connect to it first themselves
    #[arg(long)]
    queue_early: bool,

    /// How long clients wait for the server while it starts again, and with --queue-early while it starts, before they are refused
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    ready_timeout: Duration,

    /// How long what the command leaves behind has to end, when it has ended, before it is killed (Linux)
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    stop_timeout: Duration,

    /// Let what the command leaves behind go on when it has ended; daemons with sessions of their own always do (Linux)
    #[arg(long)]
    keep_children: bool,

    /// Write into this file, as JSON, how the server got the port and what that guarantees
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    #[command(flatten)]
    names: NameArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    /// The command, after two dashes
    #[arg(value_name = "COMMAND", last = true, required = true, help_heading = None::<&str>)]
    command: Vec<OsString>,
}

impl Documented for RunArgs {
    const HELP: Help = Help {
        description: "\
            The port belongs to the server from before it starts until it ends: no other program can take it, not even while the server \
            restarts. In the arguments {PORT} and {HOST} are replaced; the environment has PORT and HOST. With several ports there are \
            {PORT1}, {PORT2} and so on; with a config, each key: {SERVICE_PORT}. Signals are passed on, what the command leaves behind \
            ends with it, and the exit code is the command's; 125 means that portkeeper itself failed, 126 that the command cannot be \
            run, 127 that it was not found, 128+n that signal n ended it.\n\
            \n\
            Unless --handover chooses a method, the server gets the port in the best way that works:\n\
            \n\
            \x20 adopt    the server's own bind gets a socket of portkeeper's. Works with any\n\
            \x20          server; the port is never free, clients wait while it restarts\n\
            \x20 fds      the sockets are passed as systemd does, to servers that support\n\
            \x20          LISTEN_FDS. The same guarantee\n\
            \x20 gated    the server binds beside sockets that keep all others out\n\
            \x20 release  the port is freed just before the server starts. No guarantee",
        examples: &[
            ("portkeeper run web -- npm run dev", "Run a server on the port that this project calls web"),
            ("portkeeper run --preferred 8000 -- python3 -m http.server {PORT}", "Pass the port as an argument"),
            ("portkeeper run -c pk.config.json -- ./start-stack.sh", "Reserve the ports of a config for one command"),
        ],
    };
}

/// A way, or none: the best.
#[derive(Debug, Clone, Copy)]
struct Handover(Option<Method>);

fn handover(text: &str) -> Result<Handover, MethodError> {
    if text == "auto" { Ok(Handover(None)) } else { text.parse().map(Some).map(Handover) }
}

pub(crate) fn run(context: &Context, args: &RunArgs) -> CommandResult {
    hand_over(context, args).map_err(CommandError::of_run)
}

fn hand_over(context: &Context, args: &RunArgs) -> CommandResult {
    if let Some(lease) = args.selection.lease_option() {
        return Err(CommandError::usage(format_args!("{lease}: with run the port is kept while the command runs")));
    }
    args.names.check()?;
    if args.report.as_ref().is_some_and(|path| path.as_os_str() == "-") {
        return Err(CommandError::usage(
            "--report -: the output of `run` is the command's own, so the report needs a file",
        )
        .hint("--report run.json; or --report /dev/stderr, where portkeeper's notes go"));
    }
    // Before anything is reserved, or taken over from a holder: a command that is not there needs no port.
    #[cfg(unix)]
    if let Some(program) = args.command.first().filter(|word| !word.as_encoded_bytes().contains(&b'{')) {
        handover::find_program(program)?;
    }
    let store = context.store()?;
    let (mut ports, queue_early) = match &args.config {
        Some(path) => {
            let config = context.named_config(path)?;
            (Ports::of_config(context, &store, &config)?, args.queue_early || config.queue_early)
        }
        None if !args.names.names.is_empty() => {
            (Ports::of_names(context, &store, &args.names, &args.selection, &args.env_key)?, args.queue_early)
        }
        None => (Ports::of_selection(context, &store, &args.selection, &args.env_key)?, args.queue_early),
    };
    let values = ports.values();
    for (word, meant) in args.command.iter().flat_map(|argument| misspelt(argument, &values)) {
        context
            .printer
            .note(format_args!("{{{word}}} is passed on as it is; for the value of {meant} write {{{meant}}}"));
    }
    let run = Run {
        command: args.command.iter().map(|argument| fill_in(argument, &values)).collect(),
        environment: values.iter().map(|(key, value)| (key.into(), value.into())).collect(),
        ports: ports.take_held(),
        handover: args.handover.0,
        queue_early,
        ready_timeout: args.ready_timeout,
        stop_timeout: args.stop_timeout,
        keep_children: args.keep_children,
    };
    let mut reporter = Reporter::new(context, &mut ports, args.report.as_deref(), &run);
    let ended = handover::run(run, &mut reporter);
    match ports.end() {
        Ok(()) => ports.ended_holds().for_each(|line| context.printer.note(line)),
        // The command has ended, and its code matters more; the reservations end with their process.
        Err(error) => context.printer.warn(error),
    }
    let ended = ended.map_err(|error| ports.without_run(context, error.into()))?;
    Ok(ExitCode::from(match ended {
        Ended::Code(code) => u8::try_from(code).unwrap_or(u8::MAX),
        Ended::Signal(signal) => 128 + u8::try_from(signal).unwrap_or_default(),
    }))
}

impl From<HandoverError> for CommandError {
    fn from(error: HandoverError) -> Self {
        match error {
            HandoverError::NotFound { .. } => Self::not_found(error),
            HandoverError::NotExecutable { .. } => Self::not_executable(error),
            HandoverError::Impossible { .. } => Self::no(error),
            HandoverError::Refused(error) => match error.downcast::<RegistryError>() {
                Ok(error) => (*error).into(),
                Err(error) => Self::environment(error),
            },
            HandoverError::Failed { .. } => Self::environment(error),
        }
    }
}

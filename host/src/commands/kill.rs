//! `portkeeper kill`

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::app::{CommandError, CommandResult, Context, Format, duration, port_or_name};
use crate::explain::{Explanation, Seat, explain};
use crate::kill::{Ended, How, Plan, Refusal, plan};
use crate::model::{Port, Protocol};
use crate::registry::Store;

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The port, or its name in this project
    #[arg(value_name = "PORT|NAME")]
    port: String,

    /// Whoever it is
    #[arg(long)]
    force: bool,

    /// Don't ask
    #[arg(long, short)]
    yes: bool,

    /// How long it may take to end by itself
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, allow_hyphen_values = true)]
    timeout: Duration,

    /// The transport protocol: tcp or udp
    #[arg(long, default_value = "tcp")]
    protocol: Protocol,
}

pub(crate) fn run(context: &Context, args: &KillArgs) -> CommandResult {
    let directory = context.current_directory()?;
    let port = port_or_name(context, &args.port)?;
    let explained = look(context, port, &directory)?;
    let plan = plan(&explained, args.protocol, &directory, args.force)?;
    if !is_wanted(context, args, &plan)? {
        return Err(CommandError::no("nothing was ended"));
    }
    let ended = plan.carry_out(args.timeout)?;
    for Ended { pid, command, how, .. } in &ended {
        if *how == How::Killed {
            let patience = args.timeout.as_secs_f64();
            context
                .printer
                .note(format_args!("{command} (pid {pid}) did not end within {patience} s, so it was killed"));
        }
    }
    report(context, port, args.protocol, &ended)?;
    // A service manager may have started it again at once.
    let successor = look(context, port, &directory)?;
    match holder(&successor, args) {
        None => Ok(ExitCode::SUCCESS),
        Some(who) => Err(CommandError::no(format_args!("{} port {port} has {who} now", args.protocol))
            .hint("something starts it again; stop that instead, see `started by` in `portkeeper explain`")),
    }
}

fn look(context: &Context, port: Port, directory: &Path) -> Result<Explanation, CommandError> {
    let store = context.store()?;
    let snapshot = store.snapshot()?;
    Ok(explain(port, snapshot.reservations(), &context.machine(&store)?, directory))
}

/// Who has the port, apart from portkeeper, which keeps it for the next server, and from what was not meant.
fn holder(explained: &Explanation, args: &KillArgs) -> Option<String> {
    let is_kept = |seat: &Seat| seat.process.as_ref().is_some_and(|process| process.keeper);
    let is_meant = |seat: &Seat| seat.socket.protocol == args.protocol && (args.force || seat.whose.is_some());
    let holds = |seat: &&Seat| is_meant(seat) && seat.socket.is_held() && !is_kept(seat);
    let seat = explained.sockets.iter().find(holds)?;
    Some(seat.process.as_ref().map_or_else(|| "a process that cannot be seen".to_owned(), ToString::to_string))
}

/// Shows whom it is about, and asks.
fn is_wanted(context: &Context, args: &KillArgs, plan: &Plan) -> Result<bool, CommandError> {
    if args.yes {
        return Ok(true);
    }
    for victim in &plan.victims {
        context.printer.about(&victim.portrait);
        context.printer.about(format_args!("  {}", victim.portrait.command_line.join(" ")));
    }
    if !io::stdin().is_terminal() {
        let whom: Vec<_> = plan.victims.iter().map(|victim| format!("pid {}", victim.portrait.pid)).collect();
        return Err(CommandError::usage(format_args!(
            "without a terminal nobody can be asked: --yes ends {}",
            whom.join(", ")
        )));
    }
    context.printer.prompt("End it? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn report(context: &Context, port: Port, protocol: Protocol, ended: &[Ended]) -> io::Result<()> {
    let printer = &context.printer;
    match printer.format() {
        Format::Table => ended.iter().try_for_each(|Ended { pid, command, processes, .. }| {
            let others =
                if *processes > 1 { format!(", with {} that shared its socket", processes - 1) } else { String::new() };
            printer.line(format_args!("ended {command} (pid {pid}){others}"))
        }),
        Format::Jsonl => ended.iter().try_for_each(|ended| printer.json(ended)),
        Format::Json => printer.json(&json!({ "port": port, "protocol": protocol, "ended": ended })),
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::NotYours { .. } => Self::no(refusal).hint("--force ends it all the same"),
            Refusal::Nobody { .. } => Self::no(refusal).hint("`portkeeper explain PORT` tells more"),
            Refusal::Unseen { .. } => Self::no(refusal).hint("that user, or root, can end it"),
            Refusal::StopInstead { .. } | Refusal::Keeper { .. } | Refusal::Ourselves { .. } => Self::no(refusal),
            Refusal::Failed { .. } => Self::environment(refusal),
        }
    }
}

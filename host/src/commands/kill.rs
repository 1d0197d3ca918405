//! `portkeeper kill`

use std::io::{self, BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::app::answers::Killed;
use crate::app::{
    CommandError, CommandResult, Context, Documented, Format, Help, PortAsked, duration, port_asked, seconds,
};
use crate::explain::{Decision, Explanation, Seat, explain};
use crate::kill::{Ended, How, Plan, Refusal, Sharer, plan};
use crate::model::{Port, Protocol};
use crate::registry::Store;

#[derive(Debug, Args)]
pub(crate) struct KillArgs {
    /// The ports, or their names in this project. With an address or a URL of this machine only what has the port there: localhost:8080
    #[arg(value_name = "PORT|NAME", required = true)]
    ports: Vec<String>,

    /// Stop the process even if it is not known to be yours
    #[arg(long)]
    force: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// How long it may take to end by itself
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration, allow_hyphen_values = true)]
    timeout: Duration,

    /// The transport protocol: tcp or udp
    #[arg(long, default_value = "tcp")]
    protocol: Protocol,
}

impl Documented for KillArgs {
    const HELP: Help = Help {
        description: "\
            Without --force only the server of a reservation of this project is stopped; for a reservation without a project, one that \
            works in this project or is descended from the process that reserved the port. It gets SIGTERM, and SIGKILL when it has not \
            ended after --timeout, together with the processes that share its socket. On a terminal it is shown first, and you are \
            asked; elsewhere pass --yes.\n\
            \n\
            Never stopped: portkeeper itself, pid 1, the processes that this command runs in, containers and what listens for them. The \
            answer is then the command that does it.",
        examples: &[
            ("portkeeper kill web", "Stop the server on a name's port"),
            ("portkeeper kill --yes --timeout 10s 8080", "Stop it without confirmation, with ten seconds to shut down"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &KillArgs) -> CommandResult {
    let directory = context.current_directory()?;
    let mut ports: Vec<PortAsked> = Vec::new();
    for word in &args.ports {
        let asked = port_asked(context, word)?;
        if !ports.contains(&asked) {
            ports.push(asked);
        }
    }
    let (mut plans, mut refusals) = (Vec::new(), Vec::new());
    for asked in ports {
        match plan(&look(context, &asked, &directory)?, args.protocol, args.force) {
            Ok(plan) => plans.push((asked, plan)),
            Err(refusal) => refusals.push(CommandError::from(refusal)),
        }
    }
    if !plans.is_empty() && !is_wanted(context, args, &plans)? {
        return Err(CommandError::no("nothing was ended"));
    }
    let mut answers = Vec::new();
    for (asked, plan) in plans {
        match plan.carry_out(args.timeout) {
            Ok(ended) => answers.push((asked, ended)),
            Err(refusal) => refusals.push(refusal.into()),
        }
    }
    for Ended { pid, command, how, after, .. } in answers.iter().flat_map(|(_, ended)| ended) {
        if *how == How::Killed {
            let after = seconds(*after);
            context.printer.note(format_args!("{command} (pid {pid}) did not end within {after} s, so it was killed"));
        }
    }
    if !answers.is_empty() {
        report(context, args, &answers)?;
    }
    refusals.extend(successors(context, args, &directory, &answers)?);
    let last = refusals.pop();
    refusals.iter().for_each(|refusal| context.printer.error(refusal));
    last.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// How long something may take to start the server again: systemd waits 100 ms, a loop in a shell as long as it says.
const REBIRTH: Duration = Duration::from_secs(1);

/// How long a successor is looked at before it counts. Of a process that ends while it is looked at, some facts are those of a process
/// that lives: the `run` of a server that was ended looks like another program then.
const CONFIRMED: Duration = Duration::from_millis(300);

/// How long a process may take that is ending. It has no program anymore, and its sockets a little longer.
const ENDING: Duration = Duration::from_secs(5);

/// What was asked for, and what has ended.
type Answer = (PortAsked, Vec<Ended>);

/// Ports that have a server again, because something has started it anew.
fn successors(
    context: &Context,
    args: &KillArgs,
    directory: &Path,
    answers: &[Answer],
) -> Result<Vec<CommandError>, CommandError> {
    let begin = Instant::now();
    let watched = answers.iter().flat_map(|(_, ended)| ended).any(|ended| ended.may_be_started_again);
    loop {
        let (mut found, mut waits) = (Vec::new(), Vec::new());
        for (asked, _) in answers {
            if let Some(seat) = successor(&look(context, asked, directory)?, args) {
                waits.push(match &seat.process {
                    Some(process) if process.command_line.is_empty() => ENDING,
                    Some(_) => CONFIRMED,
                    None => REBIRTH,
                });
                found.push(still_taken(asked.port, args, &seat));
            }
        }
        let patience = waits.into_iter().max().unwrap_or(if watched { REBIRTH } else { Duration::ZERO });
        if begin.elapsed() >= patience {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Only what this very command would end has come since. The rest was there before, or is something else: what ends that is another way.
fn still_taken(port: Port, args: &KillArgs, seat: &Seat) -> CommandError {
    let protocol = args.protocol;
    let who = seat.process.as_ref().map_or_else(|| "a process that cannot be seen".to_owned(), ToString::to_string);
    let is_new = match seat.decision {
        Decision::Kill => true,
        Decision::KillWithForce(_) => args.force,
        _ => false,
    };
    let hint = if is_new {
        format!("something starts it again; stop that instead, see `started by` in `portkeeper explain {port}`")
    } else {
        seat.way_out(port)
    };
    CommandError::no(format_args!("{protocol} port {port} has {who} now")).hint(hint)
}

fn look(context: &Context, asked: &PortAsked, directory: &Path) -> Result<Explanation, CommandError> {
    let store = context.store()?;
    let snapshot = store.snapshot()?;
    let mut explained = explain(asked.port, snapshot.reservations(), &context.machine(&store)?, directory);
    explained.keep_to(asked.addresses.as_deref());
    Ok(explained)
}

/// What has the port, apart from portkeeper, which keeps it for the next server, and from what was not meant.
fn successor(explained: &Explanation, args: &KillArgs) -> Option<Seat> {
    let is_meant = |seat: &Seat| {
        seat.socket.protocol == args.protocol && (args.force || seat.whose.is_some() || seat.decision == Decision::Kill)
    };
    let holds = |seat: &&Seat| is_meant(seat) && seat.socket.is_held() && !seat.is_guard();
    explained.sockets.iter().find(holds).cloned()
}

/// Shows everything that would end, and asks. Each process has one line, whatever it calls itself.
fn is_wanted(context: &Context, args: &KillArgs, plans: &[(PortAsked, Plan)]) -> Result<bool, CommandError> {
    if args.yes {
        return Ok(true);
    }
    let victims = || plans.iter().flat_map(|(_, plan)| &plan.victims);
    for victim in victims() {
        context.printer.about(&victim.portrait);
        context.printer.about(format_args!("  {}", victim.portrait.command_line.join(" ")));
        for Sharer { pid, command } in victim.sharers() {
            context.printer.about(format_args!("  and {command} (pid {pid}), which shares its socket"));
        }
    }
    if !io::stdin().is_terminal() {
        let whom: Vec<_> = victims().map(|victim| format!("pid {}", victim.portrait.pid)).collect();
        return Err(CommandError::usage(format_args!(
            "stdin is not a terminal; pass --yes to stop {} without confirmation",
            whom.join(", ")
        )));
    }
    context.printer.prompt("End it? [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// One port is answered by an object, several by a list of them.
fn report<'a>(context: &Context, args: &KillArgs, answers: &'a [Answer]) -> io::Result<()> {
    let printer = &context.printer;
    let all = || answers.iter().flat_map(|(_, ended)| ended);
    let object = |(asked, ended): &'a Answer| Killed { port: asked.port, protocol: args.protocol, ended };
    match (printer.format(), answers) {
        (Format::Table, _) => all().try_for_each(|Ended { pid, command, processes, .. }| {
            let others =
                if *processes > 1 { format!(", with {} that shared its socket", processes - 1) } else { String::new() };
            printer.line(format_args!("ended {command} (pid {pid}){others}"))
        }),
        (Format::Jsonl, _) => answers.iter().try_for_each(|answer| printer.json(&object(answer))),
        (Format::Json, [one]) if args.ports.len() == 1 => printer.json(&object(one)),
        (Format::Json, several) => printer.json(&several.iter().map(object).collect::<Vec<_>>()),
    }
}

impl From<Refusal> for CommandError {
    fn from(refusal: Refusal) -> Self {
        match &refusal {
            Refusal::NotYours { instead, .. } => {
                let instead = format!("`{instead}` ends it all the same");
                Self::no(refusal).hint(instead)
            }
            Refusal::Nobody { port, .. } => {
                let port = *port;
                Self::no(refusal).hint(format_args!("`portkeeper explain {port}` tells more"))
            }
            Refusal::Unseen { instead, .. } => {
                let instead = instead.clone();
                Self::no(refusal).hint(instead)
            }
            Refusal::Unclear { pid, .. } => {
                let pid = *pid;
                Self::no(refusal).hint(format_args!("`kill {pid}` ends the command, and the portkeeper that runs it"))
            }
            Refusal::StopInstead { .. } | Refusal::Keeper { .. } | Refusal::Ourselves { .. } => Self::no(refusal),
            Refusal::Unknown { .. } => {
                Self::environment(refusal).hint("`portkeeper doctor` says what helps against closed socket tables")
            }
            Refusal::Failed { .. } => Self::environment(refusal),
        }
    }
}

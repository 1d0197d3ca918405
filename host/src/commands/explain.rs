//! `portkeeper explain`

use std::io;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;

use crate::app::answers::{ClaimView, Explained, SocketView, Yours};
use crate::app::{CommandResult, Context, Documented, Format, Help, PortAsked, Sections, age, lease_text, port_asked};
use crate::explain::{Claim, Explanation, Seat, Verdict, explain};
use crate::model::Guarantee;
use crate::os::Liveness;
use crate::os::inspect::{current_user, user_text};
use crate::policy::Reason;
use crate::registry::Store;
use crate::reserve::Stale;
use crate::who::ProcessInfo;

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The ports, or their names in this project. An address or a URL of this machine will do: 8080, web, localhost:8080
    #[arg(value_name = "PORT|NAME", required = true)]
    ports: Vec<String>,
}

impl Documented for ExplainArgs {
    const HELP: Help = Help {
        description: "\
            Examines the registry, the listening and bound sockets of this network namespace with their processes, the kernel's settings \
            and the policy. The first line is the verdict, the last one what to do. Free and taken are both answers: the exit code is 0.",
        examples: &[
            ("portkeeper explain 8080", "Who is using port 8080"),
            ("portkeeper explain web", "The port that this project calls web"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> CommandResult {
    let (store, directory) = (context.store()?, context.current_directory()?);
    let snapshot = store.snapshot()?;
    context.tell_notices(snapshot.notices());
    let mut ports = Vec::new();
    for word in &args.ports {
        let PortAsked { port, .. } = port_asked(context, word)?;
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    let machine = context.machine(&store)?;
    let all: Vec<_> = ports.iter().map(|&port| explain(port, snapshot.reservations(), &machine, &directory)).collect();
    report(context, args, &all, &directory)?;
    Ok(ExitCode::SUCCESS)
}

/// One port is answered by an object, several by a list of them.
fn report(context: &Context, args: &ExplainArgs, all: &[Explanation], directory: &Path) -> io::Result<()> {
    let printer = &context.printer;
    match (printer.format(), all) {
        (Format::Table, _) => {
            let texts: Vec<_> = all.iter().map(|explained| text(explained, directory).to_string()).collect();
            printer.text(texts.join("\n"))
        }
        (Format::Json, several) if args.ports.len() > 1 => {
            printer.json(&several.iter().map(|explained| answer(explained, directory)).collect::<Vec<_>>())
        }
        (_, all) => all.iter().try_for_each(|explained| printer.json(&answer(explained, directory))),
    }
}

fn text(explained: &Explanation, directory: &Path) -> Sections {
    let mut text = Sections::new(explained.summary(directory));
    for claim in &explained.claims {
        text.line("reserved", claim_text(claim, directory));
    }
    for seat in &explained.sockets {
        let address = format!("{} {}", seat.socket.protocol, seat.socket.address);
        match &seat.process {
            None => text.line(
                &seat.socket.state.to_string(),
                format!("{address}, by a process that this user may not see{}", of_user(seat)),
            ),
            Some(process) => {
                text.line(
                    &seat.socket.state.to_string(),
                    format!("{address}, by {} (pid {})", process.command, process.pid),
                );
            }
        }
    }
    let over = [(explained.connections, "connected"), (explained.remnants, "fading away")];
    let over: Vec<_> =
        over.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    text.optional_line("connections", over.join(", "));
    let kernel = &explained.kernel;
    if let Some(range) = kernel.ephemeral_range {
        let withheld = if kernel.withheld {
            ", but is kept from it by ip_local_reserved_ports"
        } else {
            ": an outgoing connection may take it"
        };
        text.line("kernel", format!("lies in {range}, from which the kernel picks ports{withheld}"));
    } else if kernel.withheld {
        text.line("kernel", "listed in ip_local_reserved_ports: its administrator wants it for something".to_owned());
    }
    if let Some(first) = kernel.privileged_below {
        text.line("kernel", format!("ports below {first} are for root"));
    }
    // A reserved port was chosen on purpose, and the ephemeral range was reported above.
    let policy =
        explained.policy.filter(|reason| explained.claim().is_none() && !matches!(reason, Reason::Ephemeral(_)));
    text.optional_line("policy", policy.map(|reason| format!("not a port to hand out: {reason}")).unwrap_or_default());
    if explained.sockets.iter().any(|seat| seat.process.is_none()) || explained.verdict == Verdict::Unseen {
        text.line("not seen", not_seen().to_owned());
    }
    let mut told = Vec::new();
    for process in explained.sockets.iter().filter_map(|seat| seat.process.as_ref()) {
        if !told.contains(&process.pid) {
            told.push(process.pid);
            process_text(&mut text, process);
        }
    }
    text.end(format!("do: {}", explained.advice()));
    text
}

/// What this user cannot see from here.
fn not_seen() -> &'static str {
    if current_user() == Some(0) {
        "processes of other pid namespaces, and other network namespaces"
    } else {
        "processes of other users and pid namespaces, and other network namespaces; root sees more"
    }
}

fn of_user(seat: &Seat) -> String {
    seat.socket.uid.map(|uid| format!(", of user {}", user_text(uid))).unwrap_or_default()
}

fn claim_text(claim: &Claim, directory: &Path) -> String {
    let reservation = &claim.reservation;
    let since = age(Timestamp::now().duration_since(reservation.created).as_secs().max(0));
    let host = format!("{} on {}", reservation.protocol, reservation.host);
    let lease = lease_text(reservation);
    let mut text = format!("for {}, {host}, {lease}, {since} ago", claim.purpose(directory));
    match (&reservation.hold, claim.holder) {
        (Some(hold), Some(Liveness::Ended)) => {
            text.push_str(&format!(", hold lost: its holder {} has ended", hold.holder.pid));
        }
        (Some(hold), _) => {
            text.push_str(&format!(", held ({}) by process {}", Guarantee::from(hold.kind), hold.holder.pid));
        }
        (None, _) => {}
    }
    if !claim.here {
        text.push_str(", on another machine or in another network namespace");
    }
    // That its holder has ended was said.
    if let Some(stale) = claim.stale.as_ref().filter(|stale| !matches!(stale, Stale::HolderEnded { .. })) {
        text.push_str(&format!(", but {stale}"));
    }
    text
}

fn process_text(text: &mut Sections, process: &ProcessInfo) {
    text.heading(format!("{} (pid {})", process.command, process.pid));
    text.optional_line("command", process.command_line.join(" "));
    text.optional_line("user", process.uid.map(user_text).unwrap_or_default());
    text.optional_line(
        "directory",
        process.directory.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
    );
    text.optional_line("project", process.project.as_ref().map(|path| path.display().to_string()).unwrap_or_default());
    let since = process.started.map(|started| age(Timestamp::now().duration_since(started).as_secs().max(0)));
    text.optional_line("running", since.map(|since| format!("for {since}")).unwrap_or_default());
    let parents: Vec<_> = process.parents.iter().map(|parent| format!("{} ({})", parent.command, parent.pid)).collect();
    text.optional_line("started by", parents.join(" < "));
    text.optional_line("container", process.container.as_ref().map(ToString::to_string).unwrap_or_default());
    if process.container_proxy {
        text.line("role", "listens for a container".to_owned());
    }
    if process.keeper {
        text.line("role", "portkeeper, which keeps the port".to_owned());
    }
    if process.sharers > 1 {
        text.line("shared", format!("by {} processes", process.sharers));
    }
}

fn answer<'a>(explained: &'a Explanation, directory: &Path) -> Explained<'a> {
    let socket = |seat: &'a Seat| SocketView {
        protocol: seat.socket.protocol,
        address: seat.socket.address,
        state: seat.socket.state,
        uid: seat.socket.uid,
        user: seat.socket.uid.and_then(crate::os::inspect::user_name),
        ownership: seat.ownership,
        process: seat.process.as_ref(),
    };
    Explained {
        port: explained.port,
        protocol: explained.protocol(),
        verdict: explained.verdict,
        summary: explained.summary(directory),
        advice: explained.advice(),
        reservations: explained.claims.iter().map(|claim| ClaimView::new(claim, directory)).collect(),
        sockets: explained.sockets.iter().map(socket).collect(),
        connections: explained.connections,
        remnants: explained.remnants,
        kernel: &explained.kernel,
        policy: explained.policy.map(|reason| reason.to_string()),
        yours: explained.yours.iter().map(|(port, name)| Yours { port: *port, name }).collect(),
    }
}

//! `portkeeper wait`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::app::{CommandError, CommandResult, Context, Documented, Help, duration, named_here, typed};
use crate::model::{Host, Port, Protocol};
use crate::os::inspect;
use crate::probe::SocketState;
use crate::registry::Store;
use crate::reserve::World;
use crate::wait::{Asked, Condition, State, Target, TargetError, Url, WaitError, wait};
use crate::who::{self, OnPort, Ownership, ProcessInfo};

/// Words for a state, with the option for it. A server is waited for without one.
const STATES: [(&str, &str); 9] = [
    ("free", " --free"),
    ("closed", " --free"),
    ("down", " --free"),
    ("occupied", ""),
    ("up", ""),
    ("open", ""),
    ("listening", ""),
    ("ready", ""),
    ("for", ""),
];

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// What to wait for: a port, a host and a port, a name of this project, or a URL that has to be answered: 8080, localhost:8080,
    /// [::1]:8080, web, http://localhost:8080/health. `free` or `occupied` as the last word is short for the option
    #[arg(value_name = "[HOST:]PORT|NAME|URL", required = true)]
    targets: Vec<String>,

    /// Until a server listens: what is waited for anyway
    #[arg(long, conflicts_with = "free")]
    occupied: bool,

    /// Until no process has the port
    #[arg(long)]
    free: bool,

    /// Until the server listens that the port is reserved for: the reservation's process or one that comes from it, or one that
    /// works in the project of its name
    #[arg(long, conflicts_with = "free")]
    owned: bool,

    /// Until the server answers GET PATH with a status of 200 to 399
    #[arg(long, value_name = "PATH", conflicts_with = "free", value_parser = http_path)]
    http: Option<String>,

    /// How long to wait: 500ms, 30s, 2m. A bare number is seconds
    #[arg(long, short, value_name = "DURATION", value_parser = seconds_or_duration, allow_hyphen_values = true)]
    timeout: Option<Duration>,

    /// How long to wait between two looks. The first looks follow each other faster
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "100ms", allow_hyphen_values = true)]
    interval: Duration,
}

impl Documented for WaitArgs {
    const HELP: Help = Help {
        description: "\
            A port is occupied when any address of its host accepts a connection. It is free when none does and, on this machine, \
            nothing is bound there; what is left of closed connections does not count. With several targets, each must meet the \
            condition once.\n\
            \n\
            Without an option it waits until a server listens. Exits with 0 and prints nothing when the condition is met. When the time \
            is up, prints a line for each target to stderr and exits with 1. Checks at least once; without --timeout it waits forever.",
        examples: &[
            ("portkeeper wait web --timeout 30s", "Wait until a server listens on a name's port"),
            ("portkeeper wait 8080 --free --timeout 5", "Wait until a port is free"),
            ("portkeeper wait localhost:8080 --http /health", "Wait until an HTTP server answers with 200 to 399"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &WaitArgs) -> CommandResult {
    let start = Instant::now();
    let (state, words) = state(args);
    let unknown_state = |error| misplaced_state(context, words, error);
    let targets = words
        .iter()
        .map(|word| target(context, word, state, args.timeout))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unknown_state)?;
    let owned = |target: &Target| is_owned(context, target);
    let condition = Condition {
        http: args.http.as_deref(),
        is_keeper: &who::is_keeper,
        is_container_proxy: &inspect::speaks_for_containers,
        demand: if args.owned { &owned } else { &|_| Ok(()) },
        ..Condition::new(state)
    };
    let left = args.timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
    match wait(&targets, &condition, left, args.interval) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error @ WaitError::Timeout(_)) => {
            context.printer.lines_to_stderr(error);
            Ok(ExitCode::FAILURE)
        }
        Err(WaitError::Target(error)) => Err(error.into()),
    }
}

/// What is waited for, and the words that are targets. A port alone means: wait for its server.
fn state(args: &WaitArgs) -> (State, &[String]) {
    if args.free || args.occupied || args.owned || args.http.is_some() {
        return (if args.free { State::Free } else { State::Occupied }, &args.targets);
    }
    match args.targets.split_last() {
        Some((last, targets)) if !targets.is_empty() && last == "free" => (State::Free, targets),
        Some((last, targets)) if !targets.is_empty() && last == "occupied" => (State::Occupied, targets),
        _ => (State::Occupied, &args.targets),
    }
}

/// The error of words of which one is no target, but says what to wait for, as in `wait free 8080`.
fn misplaced_state(context: &Context, words: &[String], error: CommandError) -> CommandError {
    let says = |word: &String| STATES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    let Some((at, (_, option))) = words.iter().enumerate().find_map(|(at, word)| Some((at, says(word)?))) else {
        return error;
    };
    if words.len() < 2 || named_here(context, &words[at]).is_ok() {
        return error;
    }
    let targets: Vec<_> =
        words.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, word)| typed(word)).collect();
    CommandError::usage(format_args!("`{}` is not what to wait for, but until when", words[at]))
        .hint(format_args!("portkeeper wait {}{option}", targets.join(" ")))
}

fn authority(host: &Host, port: Port) -> String {
    if host.as_str().contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// The host's port. A container's name appears with the container: with a limit there is time to wait for it.
fn resolved(context: &Context, host: &Host, port: Port, timeout: Option<Duration>) -> Result<Target, CommandError> {
    match Target::resolve(host, port, timeout) {
        Err(TargetError::Unresolved { host, reason }) if timeout.is_some() => {
            context.printer.note(format_args!(
                "the host `{host}` cannot be resolved: {reason}; trying again until the time is up"
            ));
            Ok(Target::unresolved(&host, port, reason))
        }
        target => Ok(target?),
    }
}

fn target(context: &Context, word: &str, state: State, timeout: Option<Duration>) -> Result<Target, CommandError> {
    match word.parse()? {
        Asked::Address(host, port) => resolved(context, &host, port, timeout),
        Asked::Url(Url { host, port, path: None }) => Err(CommandError::usage(format_args!(
            "`{word}`: only http is spoken here; `portkeeper wait {}` waits until the server takes connections",
            authority(&host, port)
        ))),
        Asked::Url(Url { host, port, .. }) if state == State::Free => Err(CommandError::usage(format_args!(
            "`{word}` is a URL, and a URL is never free; the port is: portkeeper wait {} --free",
            authority(&host, port)
        ))),
        Asked::Url(Url { host, port, path }) => Ok(resolved(context, &host, port, timeout)?.with_path(path)),
        Asked::Name(name) => match named_here(context, &name)? {
            // A UDP server never says that it is there.
            reservation if reservation.protocol == Protocol::Udp => {
                Err(CommandError::usage(format_args!("`{name}` is a UDP port: only TCP can be waited for")))
            }
            reservation => Ok(Target::of(&reservation)),
        },
    }
}

/// Whether what listens there is what the port was reserved for; else the text says what it is. The registry is read anew every
/// time, because the process that starts the server may be about to reserve the port.
fn is_owned(context: &Context, target: &Target) -> Result<(), String> {
    let store = context.store().map_err(|error| error.to_string())?;
    let (machine, snapshot) = (
        context.machine(&store).map_err(|error| error.to_string())?,
        store.snapshot().map_err(|error| error.to_string())?,
    );
    let (here, addresses) = (machine.place(), target.local_addresses());
    let mut reservations = snapshot.reservations().iter().filter(|reservation| {
        here.shares_ports_with(&reservation.place) && reservation.covers(Protocol::Tcp, target.port(), addresses)
    });
    let Some(reservation) = reservations.next() else {
        return Err("it is not reserved here, so it has no owner".to_owned());
    };
    let Some(mut sockets) = who::sockets_on(&machine, Protocol::Tcp, target.port(), addresses) else {
        return Err("the kernel's socket tables cannot be read".to_owned());
    };
    sockets.retain(|socket| socket.state == SocketState::Listening);
    if sockets.is_empty() {
        return Err("no socket of this machine is to be seen: a firewall rule may forward it".to_owned());
    }
    sockets.iter().try_for_each(|OnPort { process, uid, .. }| match process {
        None => Err(match uid {
            Some(uid) => {
                format!("by a process of user {} that this user may not see", crate::os::inspect::user_text(*uid))
            }
            None => "by a process that this user may not see".to_owned(),
        }),
        Some(process) => match who::ownership(reservation, process.pid, *uid, here) {
            Ownership::Own => Ok(()),
            Ownership::Stranger => Err(format!("by a stranger: {}", ProcessInfo::of(process))),
            Ownership::Unknown => Err(format!("nothing shows that its owner did it: {}", ProcessInfo::of(process))),
        },
    })
}

/// A path as it stands in a request (RFC 9112, 3.2.1).
fn http_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("write it as in a URL, from the first slash on: /health".to_owned())
}

/// As portend had it, a number may have a fraction.
fn seconds_or_duration(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| format!("`{text}` is no time to wait")),
        Err(_) => duration(text),
    }
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        Self::usage(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_seconds_or_a_duration() {
        assert_eq!(seconds_or_duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(seconds_or_duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(seconds_or_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["-1", "nan", "inf", "soon", ""] {
            assert!(seconds_or_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_path_is_one_that_a_request_can_hold() {
        assert!(http_path("/health?deep=1").is_ok());
        for wrong in ["", "health", "/a b", "/a\r\nX: y", "http://localhost/"] {
            assert!(http_path(wrong).is_err(), "{wrong:?}");
        }
    }
}

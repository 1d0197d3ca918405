//! `portkeeper release`

use std::process::ExitCode;

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::app::{CommandResult, Context, Format};
use crate::model::{Host, Port, Reservation};
use crate::reserve::{Release, release};

/// End reservations, and say which
///
/// A port that is not reserved is an error (exit code 1); the others are released all the same. Reservations of other machines,
/// containers and network namespaces that share the registry stay.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct ReleaseArgs {
    /// The ports to release
    #[arg(value_name = "PORT", group = "what")]
    ports: Vec<Port>,

    /// All reservations of this owner
    #[arg(long, value_name = "NAME", group = "what")]
    owner: Option<String>,

    /// All reservations
    #[arg(long, group = "what")]
    all: bool,

    /// Only reservations that were made on this host, in the same spelling
    #[arg(long)]
    host: Option<Host>,

    /// Succeed when there is nothing to release
    #[arg(long)]
    if_exists: bool,
}

pub(crate) fn run(context: &Context, args: &ReleaseArgs) -> CommandResult {
    let store = context.store()?;
    let outcome = release(&store, &context.machine(&store), |reservation| is_meant(args, reservation))?;
    let Release { released, refused, registry } = outcome;
    print(context, &released)?;
    if let Some(error) = registry {
        context.printer.warn("the holds have ended, but the registry could not be told");
        return Err(error.into());
    }
    let mut refused = refused.into_iter();
    if let Some(error) = refused.next() {
        refused.for_each(|error| context.printer.error(error));
        return Err(error.into());
    }
    let missing: Vec<_> = args
        .ports
        .iter()
        .filter(|&&port| !released.iter().any(|reservation| reservation.port == port))
        .map(|port| format!("port {port} is not reserved{}", on(args.host.as_ref())))
        .chain((args.ports.is_empty() && released.is_empty()).then(|| match &args.owner {
            Some(owner) => format!("no reservation has the owner `{owner}`{}", on(args.host.as_ref())),
            None => format!("nothing is reserved{}", on(args.host.as_ref())),
        }))
        .collect();
    if missing.is_empty() || args.if_exists {
        return Ok(ExitCode::SUCCESS);
    }
    missing.iter().for_each(|line| context.printer.error(line));
    Ok(ExitCode::FAILURE)
}

fn is_meant(args: &ReleaseArgs, reservation: &Reservation) -> bool {
    let same_host = args.host.as_ref().is_none_or(|host| *host == reservation.host);
    let owned = args.owner.is_some() && args.owner == reservation.owner;
    same_host && (args.all || owned || args.ports.contains(&reservation.port))
}

fn on(host: Option<&Host>) -> String {
    host.map(|host| format!(" on {host}")).unwrap_or_default()
}

fn print(context: &Context, released: &[Reservation]) -> std::io::Result<()> {
    let printer = &context.printer;
    match printer.format() {
        Format::Table => released.iter().try_for_each(|reservation| {
            printer.line(format_args!("released {}:{} ({})", reservation.host, reservation.port, reservation.protocol))
        }),
        Format::Jsonl => released.iter().try_for_each(|reservation| printer.json(&view(reservation))),
        Format::Json => printer.json(&json!({ "released": released.iter().map(view).collect::<Vec<_>>() })),
    }
}

fn view(reservation: &Reservation) -> serde_json::Value {
    json!({ "host": reservation.host, "port": reservation.port, "protocol": reservation.protocol, "owner": reservation.owner })
}

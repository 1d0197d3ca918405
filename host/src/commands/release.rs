//! `portkeeper release`

use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde_json::json;

use crate::app::{CommandError, CommandResult, Context, Format, ScopeArgs};
use crate::model::{Host, Name, Port, Project, Reservation};
use crate::registry::Store;
use crate::reserve::{Release, release};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct ReleaseArgs {
    /// The ports to release, and the names of this project
    #[arg(value_name = "PORT or NAME", group = "what")]
    targets: Vec<Target>,

    #[command(flatten)]
    scope: ScopeArgs,

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

/// A port, or a name. Digits alone are never a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Port(Port),
    Name(Name),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Port).map_err(|error| format!("{error}"));
        }
        text.parse().map(Self::Name).map_err(|error| format!("{error}"))
    }
}

pub(crate) fn run(context: &Context, args: &ReleaseArgs) -> CommandResult {
    let project = project(context, args)?;
    let store = context.store()?;
    let outcome =
        release(&store, &context.machine(&store), |reservation| is_meant(args, project.as_deref(), reservation))?;
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
    let is_missing = |target: &&Target| !released.iter().any(|one| target.is(project.as_deref(), one));
    let missing: Vec<_> = args
        .targets
        .iter()
        .filter(is_missing)
        .map(|target| match target {
            Target::Port(port) => format!("port {port} is not reserved{}", on(args.host.as_ref())),
            Target::Name(name) => unknown_name(&store, name, project.as_deref(), args.host.as_ref()),
        })
        .chain((args.targets.is_empty() && released.is_empty()).then(|| match &args.owner {
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

/// The project whose names are meant, when there are names.
fn project(context: &Context, args: &ReleaseArgs) -> Result<Option<Arc<Project>>, CommandError> {
    if args.targets.iter().any(|target| matches!(target, Target::Name(_))) {
        return args.scope.project(context);
    }
    if args.scope.global || args.scope.project.is_some() {
        return Err(CommandError::usage("--global and --project are about names: say which NAME to release"));
    }
    Ok(None)
}

fn is_meant(args: &ReleaseArgs, project: Option<&Project>, reservation: &Reservation) -> bool {
    let same_host = args.host.as_ref().is_none_or(|host| *host == reservation.host);
    let owned = args.owner.is_some() && args.owner == reservation.owner;
    same_host && (args.all || owned || args.targets.iter().any(|target| target.is(project, reservation)))
}

impl Target {
    fn is(&self, project: Option<&Project>, reservation: &Reservation) -> bool {
        match self {
            Self::Port(port) => *port == reservation.port,
            Self::Name(name) => {
                reservation.name().is_some_and(|other| other.name == name.as_str() && other.belongs_to(project))
            }
        }
    }
}

/// A name that is not there is often there under another project.
fn unknown_name(store: &impl Store, name: &Name, project: Option<&Project>, host: Option<&Host>) -> String {
    let whose = match project {
        Some(project) => format!("of {}", project.path.display()),
        None => "global".to_owned(),
    };
    let elsewhere = store.snapshot().ok().and_then(|snapshot| {
        let mut names = snapshot.reservations().iter().filter_map(Reservation::name);
        let other = names.find(|other| other.name == name.as_str() && !other.belongs_to(project))?;
        Some(match &other.project {
            Some(project) => format!("; there is one of {0} (--project {0})", project.path.display()),
            None => "; there is a global one (--global)".to_owned(),
        })
    });
    format!("no name `{name}` {whose} is reserved{}{}", on(host), elsewhere.unwrap_or_default())
}

fn on(host: Option<&Host>) -> String {
    host.map(|host| format!(" on {host}")).unwrap_or_default()
}

fn print(context: &Context, released: &[Reservation]) -> std::io::Result<()> {
    let printer = &context.printer;
    match printer.format() {
        Format::Table => released.iter().try_for_each(|reservation| {
            let name = reservation.name().map(|name| format!(" as {}", name.name)).unwrap_or_default();
            let Reservation { host, port, protocol, .. } = reservation;
            printer.line(format_args!("released {host}:{port} ({protocol}){name}"))
        }),
        Format::Jsonl => released.iter().try_for_each(|reservation| printer.json(&view(reservation))),
        Format::Json => printer.json(&json!({ "released": released.iter().map(view).collect::<Vec<_>>() })),
    }
}

fn view(reservation: &Reservation) -> serde_json::Value {
    let Reservation { host, port, protocol, owner, .. } = reservation;
    let name = reservation.name().map(|name| &name.name);
    json!({ "host": host, "port": port, "protocol": protocol, "owner": owner, "name": name })
}

//! `portkeeper release`

use std::io::{self, BufRead, IsTerminal};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::{ArgGroup, Args};

use crate::app::answers::{EndedReservation, Released};
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help, ScopeArgs};
use crate::model::{Host, Name, NameError, Port, Project, Reservation};
use crate::probe::local_addresses;
use crate::registry::{Snapshot, Store};
use crate::reserve::{Machine, Release, World, release};
use crate::wait::{Asked, Url};
use crate::who::{Reach, seen_from};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct ReleaseArgs {
    /// The ports to release, addresses of this machine such as localhost:8080, and the names of this project. A port that is the name of another project is released with --project or
    /// --force only
    #[arg(value_name = "PORT or NAME", group = "what")]
    targets: Vec<Target>,

    /// All reservations of this owner
    #[arg(long, value_name = "NAME", group = "what")]
    owner: Option<String>,

    /// All reservations, of all projects. On a terminal it asks first
    #[arg(long, group = "what")]
    all: bool,

    /// Release a port even if it is the name of another project
    #[arg(long)]
    force: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Only reservations that were made on this host, in the same spelling
    #[arg(long)]
    host: Option<Host>,

    /// Succeed when there is nothing to release
    #[arg(long)]
    if_exists: bool,

    #[command(flatten)]
    scope: ScopeArgs,
}

impl Documented for ReleaseArgs {
    const HELP: Help = Help {
        description: "\
            A port or name that is not reserved is an error (exit code 1); the others are released all the same. Reservations of other \
            machines, containers and network namespaces that share the registry stay, unless their network namespace is gone (see gc).",
        examples: &[
            ("portkeeper release 8888", "Release a port"),
            ("portkeeper release web api", "Release names of this project"),
            ("portkeeper release --owner myapp --if-exists", "Release all ports of an owner, if there are any"),
        ],
    };
}

/// A port, an address or URL of this machine, or a name. Digits alone are never a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Port(Port),
    Address(Host, Port),
    Name(Name),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().map(Self::Port).map_err(|error| format!("{error}"));
        }
        match (text.parse(), text.parse()) {
            (Ok(Asked::Address(host, port) | Asked::Url(Url { host, port, .. })), _) => Ok(Self::Address(host, port)),
            (_, Ok(name)) => Ok(Self::Name(name)),
            (Err(error), Err(_)) => Err(error.to_string()),
            (Ok(Asked::Name(_)), Err(error)) => Err(NameError::to_string(&error)),
        }
    }
}

/// A target on this machine.
enum Wanted<'a> {
    /// The port; on these addresses, if any were named.
    Port(Port, Option<Vec<IpAddr>>),
    Name(&'a Name),
}

impl<'a> Wanted<'a> {
    fn of(target: &'a Target) -> Result<Self, CommandError> {
        Ok(match target {
            Target::Port(port) => Self::Port(*port, None),
            Target::Address(host, port) => Self::Port(*port, Some(local_addresses(host)?)),
            Target::Name(name) => Self::Name(name),
        })
    }
}

/// What the arguments mean in a directory.
struct Selected<'a> {
    args: &'a ReleaseArgs,
    targets: Vec<Wanted<'a>>,
    /// Whose names are meant; none: the user's own.
    names_of: Option<Arc<Project>>,
    /// The project whose ports are meant, if one was named.
    ports_of: Option<Arc<Project>>,
    reach: Reach,
    directory: &'a Path,
}

pub(crate) fn run(context: &Context, args: &ReleaseArgs) -> CommandResult {
    let directory = context.current_directory()?;
    let selected = Selected::new(context, args, &directory)?;
    let store = context.store()?;
    let machine = context.machine(&store)?;
    if args.all && !args.yes && !is_confirmed(context, args, &store.snapshot()?, &machine)? {
        return Err(CommandError::no("nothing was released"));
    }
    let mut others = Vec::new();
    let outcome = release(&store, &machine, |reservation| {
        let (is_meant, is_others) = (selected.means(reservation), selected.is_others(reservation));
        if is_meant && is_others && !others.contains(reservation) {
            others.push(reservation.clone());
        }
        is_meant && !is_others
    })?;
    let Release { released, refused, registry, notices } = outcome;
    context.tell_notices(&notices);
    let done = |error| CommandError::done_but(format_args!("{} reservations are released", released.len()), &error);
    selected.print(context, &released).map_err(done)?;
    if let Some(error) = registry {
        context.printer.warn("the holds have ended, but the registry could not be told");
        return Err(error.into());
    }
    let mut refused = refused.into_iter();
    if let Some(error) = refused.next() {
        refused.for_each(|error| context.with_hint(error.into()).print(&context.printer));
        return Err(error.into());
    }
    others.iter().for_each(|other| selected.whose(context, other).print(&context.printer));
    let missing = selected.missing(context, &store, &released, &others);
    if !args.if_exists {
        missing.iter().for_each(|error| error.print(&context.printer));
    }
    let done = others.is_empty() && (missing.is_empty() || args.if_exists);
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks whether everything is really to be released, if there is anything, and a user at a terminal to ask.
fn is_confirmed(
    context: &Context,
    args: &ReleaseArgs,
    snapshot: &Snapshot,
    machine: &Machine,
) -> Result<bool, CommandError> {
    let here = |reservation: &&Reservation| machine.place().shares_ports_with(&reservation.place);
    let count = snapshot.reservations().iter().filter(here).filter(|each| is_on(args, each)).count();
    if count == 0 || !io::stdin().is_terminal() {
        return Ok(true);
    }
    let what = if count == 1 { "the only reservation".to_owned() } else { format!("all {count} reservations") };
    context.printer.prompt(format_args!("Release {what}, of all projects? [y/N] "));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Whether the reservation was made on the host that was named, if one was.
fn is_on(args: &ReleaseArgs, reservation: &Reservation) -> bool {
    args.host.as_ref().is_none_or(|host| *host == reservation.host)
}

impl<'a> Selected<'a> {
    fn new(context: &Context, args: &'a ReleaseArgs, directory: &'a Path) -> Result<Self, CommandError> {
        let names = args.targets.iter().any(|target| matches!(target, Target::Name(_)));
        let named = args.scope.project.is_some();
        if !names && (args.scope.global || named && args.targets.is_empty()) {
            return Err(CommandError::usage("--global and --project are about names: say which NAME to release"));
        }
        let project = if names || named { args.scope.project(context)? } else { None };
        let ports_of = project.clone().filter(|_| named);
        let targets = args.targets.iter().map(Wanted::of).collect::<Result<_, _>>()?;
        Ok(Self { args, targets, names_of: project, ports_of, reach: Reach::of(directory), directory })
    }

    /// Whether it is among what was asked for.
    fn means(&self, reservation: &Reservation) -> bool {
        let args = self.args;
        let owned = args.owner.is_some() && args.owner == reservation.owner;
        is_on(args, reservation)
            && (args.all || owned || self.targets.iter().any(|target| self.is(target, reservation)))
    }

    fn is(&self, target: &Wanted<'_>, reservation: &Reservation) -> bool {
        match target {
            Wanted::Port(port, None) => *port == reservation.port,
            Wanted::Port(port, Some(addresses)) => {
                *port == reservation.port && reservation.covers(reservation.protocol, *port, addresses)
            }
            Wanted::Name(name) => reservation
                .name()
                .is_some_and(|other| other.name == name.as_str() && other.belongs_to(self.names_of.as_deref())),
        }
    }

    /// Whether its port alone is no reason to release it, because it is the name of another project.
    fn is_others(&self, reservation: &Reservation) -> bool {
        let by_port = !self.args.targets.is_empty() && !self.args.force;
        let Some(theirs) = project_of(reservation).filter(|_| by_port) else { return false };
        let by_name = |target: &Wanted<'_>| matches!(target, Wanted::Name(_)) && self.is(target, reservation);
        let is_ours = match &self.ports_of {
            Some(project) => theirs.is_same(project),
            None => self.reach.includes(theirs),
        };
        !is_ours && !self.targets.iter().any(by_name)
    }

    /// `WEB_PORT of ../shop-2`, and what releases it: where its own process keeps it, only the end of that.
    fn whose(&self, context: &Context, other: &Reservation) -> CommandError {
        let port = other.port;
        let name = other.name().map_or("", |name| &name.name);
        let project = project_of(other).map_or_else(String::new, |project| seen_from(&project.path, self.directory));
        let refusal = CommandError::no(format_args!("port {port} is {name} of another project, {project}"));
        let keeps_itself = other.hold.is_some_and(|hold| hold.file.is_none());
        match context.way_to_end(port).filter(|_| keeps_itself) {
            Some(way) => refusal.hint(way),
            None => {
                refusal.hint(format_args!("`portkeeper release {port} --project {project}` releases it, or --force"))
            }
        }
    }

    fn missing(
        &self,
        context: &Context,
        store: &impl Store,
        released: &[Reservation],
        others: &[Reservation],
    ) -> Vec<CommandError> {
        let args = self.args;
        let is_missing =
            |target: &&Wanted<'_>| !released.iter().chain(others).any(|reservation| self.is(target, reservation));
        self.targets
            .iter()
            .filter(is_missing)
            .map(|target| match target {
                Wanted::Port(port, addresses) => {
                    let missing = CommandError::no(format_args!(
                        "port {port} is not reserved{}{}",
                        at(addresses.as_deref()),
                        on(args.host.as_ref())
                    ));
                    match context.way_to_end(*port) {
                        Some(way) => missing.hint(format_args!("a process has it all the same; {way}")),
                        None => missing,
                    }
                }
                Wanted::Name(name) => {
                    CommandError::no(unknown_name(store, name, self.names_of.as_deref(), args.host.as_ref()))
                }
            })
            .chain((args.targets.is_empty() && released.is_empty()).then(|| match &args.owner {
                Some(owner) => {
                    CommandError::no(format_args!("no reservation has the owner `{owner}`{}", on(args.host.as_ref())))
                }
                None => CommandError::no(format_args!("nothing is reserved{}", on(args.host.as_ref()))),
            }))
            .collect()
    }

    fn print(&self, context: &Context, released: &[Reservation]) -> io::Result<()> {
        let printer = &context.printer;
        let views =
            || released.iter().map(|reservation| EndedReservation::new(reservation, "released by request".to_owned()));
        match printer.format() {
            Format::Table => released.iter().try_for_each(|reservation| printer.line(self.line(reservation))),
            Format::Jsonl => views().try_for_each(|view| printer.json(&view)),
            Format::Json => printer.json(&Released { released: views().collect() }),
        }
    }

    fn line(&self, reservation: &Reservation) -> String {
        let name = reservation.name().map(|name| format!(" as {}", name.name)).unwrap_or_default();
        let other = project_of(reservation).filter(|project| !self.reach.includes(project));
        let whose = other.map(|project| format!(" of {}", seen_from(&project.path, self.directory)));
        let Reservation { host, port, protocol, .. } = reservation;
        format!("released {host}:{port} ({protocol}){name}{}", whose.unwrap_or_default())
    }
}

fn project_of(reservation: &Reservation) -> Option<&Project> {
    reservation.name()?.project.as_deref()
}

/// A name that is not there is often there under another project.
fn unknown_name(store: &impl Store, name: &Name, project: Option<&Project>, host: Option<&Host>) -> String {
    let unknown = match project {
        Some(project) => format!("no name `{name}` of {} is reserved", project.path.display()),
        None => format!("no global name `{name}` is reserved"),
    };
    let elsewhere = store.snapshot().ok().and_then(|snapshot| {
        let mut names = snapshot.reservations().iter().filter_map(Reservation::name);
        let other = names.find(|other| other.name == name.as_str() && !other.belongs_to(project))?;
        Some(match &other.project {
            Some(project) => format!("; there is one of {0} (--project {0})", project.path.display()),
            None => "; there is a global one (--global)".to_owned(),
        })
    });
    format!("{unknown}{}{}", on(host), elsewhere.unwrap_or_default())
}

/// ` at 127.0.0.1 or ::1`
fn at(addresses: Option<&[IpAddr]>) -> String {
    let texts = addresses.map(|addresses| addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" or "));
    texts.map(|texts| format!(" at {texts}")).unwrap_or_default()
}

fn on(host: Option<&Host>) -> String {
    host.map(|host| format!(" on {host}")).unwrap_or_default()
}

//! `portkeeper reserve`

use std::process::ExitCode;

use clap::Args;

use super::prepare::tell;
use crate::app::answers::{ReservedView, other_user};
use crate::app::{
    CommandError, CommandResult, Context, Documented, Format, Help, HoldArgs, NameArgs, PrepareEnv, SelectionArgs,
    Table, WriteEnv, lease_text,
};
#[cfg(target_os = "linux")]
use crate::fs::describe;
use crate::fs::directory_of;
use crate::model::Protocols;
#[cfg(target_os = "linux")]
use crate::model::Reservation;
use crate::prepare::{Job, Mode, prepare};
use crate::probe;
use crate::registry::FileStore;
use crate::reserve::{Granted, Machine, NameOptions, Request, World, reserve, reserve_names, with_twins};

#[derive(Debug, Args)]
pub(crate) struct ReserveArgs {
    #[command(flatten)]
    names: NameArgs,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    hold: HoldArgs,

    /// Hold the port in this process instead of a background one, until it is interrupted
    #[arg(long, help_heading = "Lifetime options", requires = "hold")]
    foreground: bool,
}

impl Documented for ReserveArgs {
    const HELP: Help = Help {
        description: "\
            A reservation keeps every other user of portkeeper away from the port. With a NAME it lasts until it is released, and the \
            same name always gives the same port. Without a NAME, and without --ttl, --for-pid or --write-env, it lasts while a server \
            listens on the port, and for 60 seconds in any case: time enough to start one. With --hold the kernel keeps other programs \
            away as well, until the port is released.",
        examples: &[
            (
                "portkeeper reserve --preferred 8888 --range 8888-8988 --owner myapp",
                "Port 8888 if it is free, or the next free one",
            ),
            ("portkeeper reserve --count 3 --range 5000-5100 --ttl 10m", "Three ports for ten minutes"),
            ("portkeeper reserve --profile service --write-env", "Reserve a port and write SERVICE_PORT into .env"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &ReserveArgs) -> CommandResult {
    if args.foreground {
        return foreground(context, args);
    }
    let granted = select(context, &args.names, &args.selection, &args.hold)?;
    context.answered(&granted, args.selection.env_file(), answer(context, args, &granted))?;
    Ok(ExitCode::SUCCESS)
}

fn answer(context: &Context, args: &ReserveArgs, granted: &[Granted]) -> std::io::Result<()> {
    let printer = &context.printer;
    match printer.format_or_json() {
        Format::Table => printer.text(table(granted)),
        format if args.selection.is_list() || args.names.names.len() > 1 => {
            let views = with_twins(granted).map(|(granted, twin)| ReservedView::new(granted, twin));
            printer.json_list(format, &views.collect::<Vec<_>>())
        }
        _ => with_twins(granted).try_for_each(|(granted, twin)| printer.json(&ReservedView::new(granted, twin))),
    }
}

/// The exit code after Ctrl-C.
#[cfg(target_os = "linux")]
const INTERRUPTED: u8 = 130;

/// Reserves what the arguments ask for, and reports on stderr what the user should know of it.
pub(super) fn select(
    context: &Context,
    names: &NameArgs,
    selection: &SelectionArgs,
    hold: &HoldArgs,
) -> Result<Vec<Granted>, CommandError> {
    let store = context.store()?;
    let machine = context.machine_for(&store, hold)?;
    let granted = select_on(context, names, selection, hold, &store, &machine)?;
    context.tell_holds(&granted);
    Ok(granted)
}

fn select_on(
    context: &Context,
    names: &NameArgs,
    selection: &SelectionArgs,
    hold: &HoldArgs,
    store: &FileStore<'_>,
    machine: &Machine,
) -> Result<Vec<Granted>, CommandError> {
    names.check()?;
    if !names.names.is_empty() {
        return by_name(context, names, selection, hold, store, machine);
    }
    let requests = selection.requests(&context.default_host()?, hold)?;
    if selection.yields_to_ephemeral() {
        context.printer.warn(
            "the kernel's ephemeral range leaves no good port, so this one is from that range: \
             an outgoing connection may take it (see --range, or net.ipv4.ip_local_port_range)",
        );
    }
    grant(context, selection, requests, store, machine)
}

/// Reserves what was asked for, in this world, and writes it where it shall be written.
pub(super) fn grant(
    context: &Context,
    selection: &SelectionArgs,
    requests: Vec<Request>,
    store: &FileStore<'_>,
    world: &impl World,
) -> Result<Vec<Granted>, CommandError> {
    if let Some(file) = selection.write_env() {
        return write_env(context, &file, requests, store, world);
    }
    let outcome = reserve(store, world, &requests)?;
    context.tell_notices(&outcome.notices);
    tell_users(context, &outcome.granted);
    Ok(outcome.granted)
}

/// Reports what uses the very ports that were asked for, on other addresses.
pub(super) fn tell_users(context: &Context, granted: &[Granted]) {
    for each in granted {
        if context.tell_not_held(each, granted) {
            continue;
        }
        if let Some(occupied) = other_user(each) {
            let port = each.reservation.port;
            context.printer.note(format_args!("{port} is yours on {}, but {occupied}", each.reservation.host));
        }
    }
}

/// The ports of names, old and new.
pub(super) fn by_name(
    context: &Context,
    names: &NameArgs,
    selection: &SelectionArgs,
    hold: &HoldArgs,
    store: &FileStore<'_>,
    machine: &Machine,
) -> Result<Vec<Granted>, CommandError> {
    let project = names.scope.project(context)?;
    let namings = selection.namings(names, project.as_ref(), hold)?;
    let host = context.default_host()?;
    let rules = NameOptions {
        host: (host.clone(), probe::local_addresses(&host)?),
        moves: names.moves,
        require_free: names.require_free,
    };
    let outcome = reserve_names(store, machine, &namings, &rules)?;
    context.tell_notices(&outcome.notices);
    for granted in &outcome.granted {
        let reservation = &granted.reservation;
        let name = reservation.name().map_or("", |name| &name.name);
        if let Some(old) = granted.moved_from() {
            context.printer.note(format_args!("{name} moved from {old} to {}", reservation.port));
        }
        context.tell_narrowed(granted, Mode::Write);
        if context.tell_not_held(granted, &outcome.granted) {
            continue;
        }
        if let Some(occupied) = other_user(granted) {
            context.printer.note(format_args!("{name} has {}, and {occupied}", reservation.port));
        }
    }
    Ok(outcome.granted)
}

/// Reserves, answers, and holds until there is a reason to end. Then the reservations end, too, all but names.
#[cfg(target_os = "linux")]
fn foreground(context: &Context, args: &ReserveArgs) -> CommandResult {
    use std::rc::Rc;

    use crate::hold::{End, Foreground, HoldDirectory};
    use crate::reserve::release;

    let store = context.store()?;
    let keeper = Rc::new(Foreground::new(HoldDirectory::beside(store.path())));
    let machine = context.machine(&store)?.with_keeper(keeper.clone());
    let granted = select_on(context, &args.names, &args.selection, &args.hold, &store, &machine)?;
    let holder = match keeper.take_holder() {
        Ok(holder) => holder,
        Err(error) => {
            let error = CommandError::environment(format_args!("the port cannot be held: {}", describe(&error)));
            return Err(match args.selection.env_file() {
                Some(_) => Context::beside_files(&granted, error),
                None => context.without(&granted, error),
            });
        }
    };
    let answer = answer(context, args, &granted);
    let Some(holder) = holder.filter(|_| answer.is_ok()) else {
        context.answered(&granted, args.selection.env_file(), answer)?;
        return Err(CommandError::no("the port cannot be held now, because a process uses it"));
    };
    context.answered(&granted, args.selection.env_file(), Ok(()))?;
    context.printer.note("holding until this command is interrupted, or the port is released");
    let end = holder.serve();
    // What another process took over belongs to that process.
    let ours = |other: &Reservation| {
        let same = |granted: &Granted| granted.reservation.id == other.id && granted.reservation.hold == other.hold;
        other.name().is_none() && granted.iter().any(same)
    };
    release(&store, &context.machine(&store)?, ours)?;
    let failed = |error| CommandError::environment(format_args!("the hold has ended: {}", describe(&error)));
    Ok(match end.map_err(failed)? {
        End::Signal(signal) if signal == signal_hook::consts::SIGINT => ExitCode::from(INTERRUPTED),
        _ => ExitCode::SUCCESS,
    })
}

#[cfg(not(target_os = "linux"))]
fn foreground(context: &Context, _: &ReserveArgs) -> CommandResult {
    context.holding_machine(&context.store()?).map(|_| ExitCode::FAILURE)
}

/// Chooses, writes and commits together: a small prepare.
pub(super) fn write_env(
    context: &Context,
    file: &WriteEnv,
    requests: Vec<Request>,
    store: &FileStore<'_>,
    world: &impl World,
) -> Result<Vec<Granted>, CommandError> {
    let directory = directory_of(&file.path);
    if !directory.is_dir() {
        let (path, directory) = (file.path.display(), directory.display());
        return Err(CommandError::usage(format_args!(
            "--env-path {path}: there is no directory {directory}; make it first"
        )));
    }
    let job = Job::of_env_file(&file.path, file.keys.iter().cloned().zip(requests).collect());
    let stage = PrepareEnv::new(context, Mode::Write)?;
    let report = prepare(&job, &stage.surroundings(), store, world, Mode::Write, false)?;
    tell(context, &report, Mode::Write);
    Ok(report.granted)
}

fn table(granted: &[Granted]) -> Table {
    let mut table = Table::new(&["NAME", "HOST", "PORT", "PROTOCOL", "OWNER", "LEASE", "GUARANTEE"]);
    for (granted, twin) in with_twins(granted) {
        let reservation = &granted.reservation;
        let protocols = Protocols::from(reservation.protocol);
        let protocols = twin.map_or(protocols, |twin| protocols.with(twin.reservation.protocol));
        table.row([
            reservation.name().map(|name| name.name.clone()).unwrap_or_default(),
            reservation.host.to_string(),
            reservation.port.to_string(),
            protocols.to_string(),
            reservation.owner.clone().unwrap_or_default(),
            lease_text(reservation),
            granted.guarantee_with(twin).to_string(),
        ]);
    }
    table
}

//! `portkeeper reserve`

use std::process::ExitCode;

use clap::Args;

use super::prepare::tell;
use crate::app::{
    CommandError, CommandResult, Context, Format, NameArgs, ReservedView, SelectionArgs, Stage, Table, WriteEnv,
    lease_text,
};
use crate::fs::folder_of;
use crate::prepare::{Job, Mode, prepare};
use crate::probe;
use crate::reserve::{Granted, Machine, NamingRules, Request, reserve, reserve_names};

/// Reserve a port, or several, and print them as JSON
///
/// A reservation keeps every other user of portkeeper away from the port. With a NAME it lasts until it is released, and the same
/// name always gives the same port. Without one, and without --ttl, --for-pid or --write-env, it lasts while something listens on the
/// port, and for 60 seconds in any case: time enough to start a server.
#[derive(Debug, Args)]
pub(crate) struct ReserveArgs {
    #[command(flatten)]
    names: NameArgs,

    #[command(flatten)]
    selection: SelectionArgs,
}

pub(crate) fn run(context: &Context, args: &ReserveArgs) -> CommandResult {
    let granted = select(context, &args.names, &args.selection)?;
    let printer = &context.printer;
    match printer.format_or_json() {
        Format::Table => printer.text(table(&granted))?,
        format if args.selection.is_list() || args.names.names.len() > 1 => {
            printer.json_list(format, &granted.iter().map(ReservedView::from).collect::<Vec<_>>())?;
        }
        _ => granted.iter().try_for_each(|granted| printer.json(&ReservedView::from(granted)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reserves what the arguments ask for, and tells on stderr what the user should know of it.
pub(super) fn select(
    context: &Context,
    names: &NameArgs,
    selection: &SelectionArgs,
) -> Result<Vec<Granted>, CommandError> {
    names.check()?;
    if !names.names.is_empty() {
        return by_name(context, names, selection);
    }
    let requests = selection.requests(&context.default_host()?)?;
    let store = context.store()?;
    if selection.yields_to_ephemeral() {
        context.printer.warn(
            "the kernel's ephemeral range leaves no good port, so this one is from that range: \
             an outgoing connection may take it (see --range, or net.ipv4.ip_local_port_range)",
        );
    }
    if let Some(file) = selection.write_env() {
        return write_env(context, &file, requests);
    }
    let outcome = reserve(&store, &Machine::here(), &requests)?;
    context.tell_notices(&outcome.notices);
    context.tell_collected(&outcome.collected);
    Ok(outcome.granted)
}

/// The ports of names, old and new.
fn by_name(context: &Context, names: &NameArgs, selection: &SelectionArgs) -> Result<Vec<Granted>, CommandError> {
    let project = names.scope.project(context)?;
    let namings = selection.namings(names, project.as_ref())?;
    let host = context.default_host()?;
    let rules = NamingRules {
        host: (host.clone(), probe::local_addresses(&host)?),
        moves: names.moves,
        require_free: names.require_free,
    };
    let outcome = reserve_names(&context.store()?, &Machine::here(), &namings, &rules)?;
    context.tell_notices(&outcome.notices);
    context.tell_collected(&outcome.collected);
    for Granted { reservation, replaced, occupied_by, .. } in &outcome.granted {
        let name = reservation.name().map_or("", |name| &name.name);
        if let Some(old) = replaced.as_ref().filter(|old| old.port != reservation.port) {
            context.printer.note(format_args!("{name} moved from {} to {}", old.port, reservation.port));
        }
        if let Some(occupied) = occupied_by.first() {
            context.printer.note(format_args!("{name} has {}, and {occupied}", reservation.port));
        }
    }
    Ok(outcome.granted)
}

/// Chooses, writes and commits together: a small prepare.
fn write_env(context: &Context, file: &WriteEnv, requests: Vec<Request>) -> Result<Vec<Granted>, CommandError> {
    let folder = folder_of(&file.path);
    if !folder.is_dir() {
        let (path, folder) = (file.path.display(), folder.display());
        return Err(CommandError::usage(format_args!("--env-path {path}: there is no folder {folder}; make it first")));
    }
    let job = Job::of_env_file(&file.path, file.keys.iter().cloned().zip(requests).collect());
    let stage = Stage::new(context)?;
    let report = prepare(&job, &stage.surroundings(), &context.store()?, &Machine::here(), Mode::Write, false)?;
    tell(context, &report, Mode::Write);
    Ok(report.granted)
}

fn table(granted: &[Granted]) -> Table {
    let mut table = Table::new(&["NAME", "HOST", "PORT", "PROTOCOL", "OWNER", "LEASE"]);
    for Granted { reservation, .. } in granted {
        table.row([
            reservation.name().map(|name| name.name.clone()).unwrap_or_default(),
            reservation.host.to_string(),
            reservation.port.to_string(),
            reservation.protocol.to_string(),
            reservation.owner.clone().unwrap_or_default(),
            lease_text(&reservation.lease),
        ]);
    }
    table
}

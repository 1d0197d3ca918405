//! `portkeeper reserve`

use std::process::ExitCode;

use clap::Args;

use super::prepare::tell;
use crate::app::{
    CommandError, CommandResult, Context, Format, ReservedView, SelectionArgs, Stage, Table, WriteEnv, lease_text,
};
use crate::fs::folder_of;
use crate::prepare::{Job, Mode, prepare};
use crate::reserve::{Granted, Machine, Request, World, reserve};

/// Reserve a port, or several, and print them as JSON
///
/// A reservation keeps every other user of portkeeper away from the port. Without --ttl, --for-pid or --write-env it lasts while
/// something listens on the port, and for 60 seconds in any case: time enough to start a server.
#[derive(Debug, Args)]
pub(crate) struct ReserveArgs {
    #[command(flatten)]
    selection: SelectionArgs,
}

pub(crate) fn run(context: &Context, args: &ReserveArgs) -> CommandResult {
    let granted = select(context, &args.selection)?;
    let printer = &context.printer;
    match printer.format_or_json() {
        Format::Table => printer.text(table(&granted))?,
        format if args.selection.is_list() => {
            printer.json_list(format, &granted.iter().map(ReservedView::from).collect::<Vec<_>>())?;
        }
        _ => granted.iter().try_for_each(|granted| printer.json(&ReservedView::from(granted)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reserves what the arguments ask for, and tells on stderr what the user should know of it.
pub(super) fn select(context: &Context, selection: &SelectionArgs) -> Result<Vec<Granted>, CommandError> {
    let requests = selection.requests(&context.default_host()?)?;
    if selection.yields_to_ephemeral() {
        context.printer.warn(
            "the kernel's ephemeral range leaves no good port, so this one is from that range: \
             an outgoing connection may take it (see --range, or net.ipv4.ip_local_port_range)",
        );
    }
    grant(context, selection, requests, &Machine::here())
}

/// Reserves what was asked for, in this world, and writes it where it shall be written.
pub(super) fn grant(
    context: &Context,
    selection: &SelectionArgs,
    requests: Vec<Request>,
    world: &impl World,
) -> Result<Vec<Granted>, CommandError> {
    if let Some(file) = selection.write_env() {
        return write_env(context, &file, requests, world);
    }
    let outcome = reserve(&context.store()?, world, &requests)?;
    context.tell_notices(&outcome.notices);
    context.tell_collected(&outcome.collected);
    Ok(outcome.granted)
}

/// Chooses, writes and commits together: a small prepare.
fn write_env(
    context: &Context,
    file: &WriteEnv,
    requests: Vec<Request>,
    world: &impl World,
) -> Result<Vec<Granted>, CommandError> {
    let folder = folder_of(&file.path);
    if !folder.is_dir() {
        let (path, folder) = (file.path.display(), folder.display());
        return Err(CommandError::usage(format_args!("--env-path {path}: there is no folder {folder}; make it first")));
    }
    let job = Job::of_env_file(&file.path, file.keys.iter().cloned().zip(requests).collect());
    let stage = Stage::new(context)?;
    let report = prepare(&job, &stage.surroundings(), &context.store()?, world, Mode::Write, false)?;
    tell(context, &report, Mode::Write);
    Ok(report.granted)
}

fn table(granted: &[Granted]) -> Table {
    let mut table = Table::new(&["HOST", "PORT", "PROTOCOL", "OWNER", "LEASE"]);
    for Granted { reservation, .. } in granted {
        table.row([
            reservation.host.to_string(),
            reservation.port.to_string(),
            reservation.protocol.to_string(),
            reservation.owner.clone().unwrap_or_default(),
            lease_text(&reservation.lease),
        ]);
    }
    table
}

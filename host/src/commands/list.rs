//! `portkeeper list`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::NameView;
use crate::app::{CommandResult, Context, Documented, Format, Help, ScopeArgs, current_project};
use crate::model::{Place, Reservation};
use crate::registry::{Snapshot, Store};
use crate::reserve::{Machine, World, names_of};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The names of all projects, and the global ones
    #[arg(long, conflicts_with_all = ["global", "project"])]
    all: bool,

    #[command(flatten)]
    scope: ScopeArgs,
}

impl Documented for ListArgs {
    const HELP: Help = Help {
        description: "\
            Lists the names of the project that the current directory is in, whether a command gave them or a config; outside of any \
            project, your global names. `status` shows all reservations, and what listens on them.",
        examples: &[
            ("portkeeper list", "The names of this project"),
            ("portkeeper list --all", "The names of all projects, and the global ones"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &ListArgs) -> CommandResult {
    let store = context.store()?;
    let (snapshot, machine) = (store.snapshot()?, context.machine(&store)?);
    context.tell_notices(snapshot.notices());
    let names = if args.all { every_name(&snapshot) } else { of_scope(context, args, &snapshot, &machine)? };
    let printer = &context.printer;
    // A name with two protocols has a reservation for each, and is one name.
    let names: Vec<_> = names.chunk_by(|one, other| is_twin(one, other)).collect();
    match printer.format_or_text() {
        Format::Table => names.iter().try_for_each(|twins| printer.line(line(twins[0], args.all, machine.place())))?,
        format => {
            let views: Vec<_> = names.iter().map(|twins| NameView::new(twins, &machine)).collect();
            printer.json_list(format, &views)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of_scope<'a>(
    context: &Context,
    args: &ListArgs,
    snapshot: &'a Snapshot,
    machine: &Machine,
) -> Result<Vec<&'a Reservation>, crate::app::CommandError> {
    let project = if args.scope.global || args.scope.project.is_some() {
        args.scope.project(context)?
    } else {
        let project = current_project(context)?;
        if project.is_none() {
            context.printer.note(
                "this directory is in no project: these are the global names (--all lists those of all projects)",
            );
        }
        project
    };
    Ok(names_of(snapshot, machine, project.as_deref()))
}

/// All names there are, in whatever place: the global ones first, then project by project.
fn every_name(snapshot: &Snapshot) -> Vec<&Reservation> {
    let mut names: Vec<_> = snapshot.reservations().iter().filter(|one| one.name().is_some()).collect();
    names.sort_by_key(|reservation| {
        (directory(reservation), reservation.name().map(|name| &name.name), reservation.protocol)
    });
    names
}

fn directory(reservation: &Reservation) -> Option<&Path> {
    Some(reservation.name()?.project.as_ref()?.path.as_path())
}

fn is_twin(one: &Reservation, other: &Reservation) -> bool {
    let is_same = one.name().zip(other.name()).is_some_and(|(one, other)| one.is_same(other));
    is_same && one.port == other.port && one.protocol != other.protocol && one.place == other.place
}

fn line(reservation: &Reservation, with_project: bool, here: &Place) -> String {
    let name = reservation.name().map_or("", |name| &name.name);
    let mut line = format!("{name}: {}", reservation.port);
    if with_project {
        let whose = directory(reservation).map_or_else(|| "global".to_owned(), |path| path.display().to_string());
        line = format!("{line}  ({whose})");
    }
    if !here.shares_ports_with(&reservation.place) {
        line.push_str("  (another machine, container or network namespace)");
    }
    line
}

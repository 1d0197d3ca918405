//! `portkeeper gc`

use std::process::ExitCode;

use clap::Args;

use crate::app::answers::{self, EndedReservation};
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help};
use crate::registry::Store;
use crate::reserve::{Collected, Released, collect, unkept, would_collect};

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Only say what would be released
    #[arg(long)]
    dry_run: bool,
}

impl Documented for GcArgs {
    const HELP: Help = Help {
        description: "\
            A reservation is stale only when that is proven: its process has ended, its time is up, nothing listens after its grace \
            period, its project's directory is gone, or the network namespace that it was made in: one of an earlier boot, or, where root \
            can see it, one that nothing is in or refers to any more. Every reserve removes most of them on its way, too.",
        examples: &[
            ("portkeeper gc --dry-run", "Print what would be removed"),
            ("portkeeper gc --json", "Remove stale reservations and print them as JSON"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &GcArgs) -> CommandResult {
    let store = context.store()?;
    let machine = context.machine(&store)?;
    let snapshot = store.snapshot()?;
    context.tell_notices(&unkept(snapshot.reservations(), &machine));
    let Collected { released, notices } =
        if args.dry_run { would_collect(&snapshot, &machine)? } else { collect(&store, &machine)? };
    context.tell_notices(&notices);
    let (printer, verb) = (&context.printer, if args.dry_run { "would release" } else { "released" });
    let answer = match printer.format() {
        Format::Table if released.is_empty() => printer.line("nothing is stale"),
        Format::Table => released.iter().try_for_each(|Released { reservation, why }| {
            printer.line(format_args!("{verb} {}:{}: {why}", reservation.host, reservation.port))
        }),
        Format::Jsonl => released.iter().map(view).try_for_each(|view| printer.json(&view)),
        Format::Json => printer.json(&answers::Released { released: released.iter().map(view).collect() }),
    };
    match answer {
        Err(error) if !args.dry_run && !released.is_empty() => {
            Err(CommandError::done_but(format_args!("{} reservations are released", released.len()), &error))
        }
        answer => Ok(answer.map(|()| ExitCode::SUCCESS)?),
    }
}

fn view(released: &Released) -> EndedReservation<'_> {
    EndedReservation::new(&released.reservation, released.why.to_string())
}

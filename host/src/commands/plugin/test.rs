//! `portkeeper plugin test`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::words;
use crate::app::answers::FixtureView;
use crate::app::{CommandError, CommandResult, Context, Format, Table};
use crate::authoring::{Fixture, Trial, try_fixture};
use crate::fs::directory_of;
use crate::plugins::{Engine, Limits, grouped};

/// Put a plugin to its fixtures, in the sandbox that its users run it in
///
/// A fixture is a directory: request.json says what a config would, `existing` has the files as they are, and either `expected` has the
/// files as they shall be or failure.json the failure. Each is rendered twice, which has to give the same, and then from its own text,
/// which has to change nothing. The fuel that is shown is the same on every machine.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// The plugin's file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The directory with the fixtures [default: `fixtures` beside the file]
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,

    /// Write what the plugin gives as what is expected from now on
    #[arg(long)]
    update: bool,
}

pub(crate) fn run(context: &Context, args: &TestArgs) -> CommandResult {
    let plugin = Engine::new(None, Limits::default()).examine(&args.file)?.plugin;
    let directory = args.directory.clone().unwrap_or_else(|| directory_of(&args.file).join("fixtures"));
    let fixtures = Fixture::load_all(&directory, plugin.metadata())?;
    let rows: Vec<_> = fixtures
        .iter()
        .map(|fixture| row(fixture, &try_fixture(&plugin, fixture), args.update))
        .collect::<Result<_, _>>()?;
    print(context, &rows)?;
    let failed = rows.iter().filter(|row| row.result == "failed").count();
    if failed > 0 {
        return Err(CommandError::no(format_args!("{failed} of {} fixtures failed", rows.len())));
    }
    Ok(ExitCode::SUCCESS)
}

fn row(fixture: &Fixture, trial: &Trial, update: bool) -> Result<FixtureView, CommandError> {
    let mut result = if trial.flaws.is_empty() { "passed" } else { "failed" };
    if update
        && result == "failed"
        && !trial.breaks_promises()
        && let Some(found) = &trial.found
    {
        fixture.expect(found)?;
        result = "updated";
    }
    let flaws = if result == "failed" { trial.flaws.iter().map(ToString::to_string).collect() } else { Vec::new() };
    Ok(FixtureView {
        fixture: fixture.name.clone(),
        result,
        flaws,
        fuel: trial.usage.fuel,
        memory_bytes: trial.usage.memory,
        elapsed_ms: trial.usage.time.as_secs_f64() * 1e3,
    })
}

fn print(context: &Context, rows: &[FixtureView]) -> std::io::Result<()> {
    let printer = &context.printer;
    match printer.format() {
        Format::Table => printer.text(table(rows))?,
        format => printer.json_list(format, rows)?,
    }
    for row in rows {
        row.flaws.iter().for_each(|flaw| printer.warn(format_args!("{}: {flaw}", row.fixture)));
    }
    Ok(())
}

fn table(rows: &[FixtureView]) -> Table {
    let mut table = Table::new(&["FIXTURE", "RESULT", "FUEL", "MEMORY", "TIME"]);
    for row in rows {
        table.row([
            row.fixture.clone(),
            row.result.to_owned(),
            grouped(row.fuel),
            words::size(row.memory_bytes),
            words::time(std::time::Duration::from_secs_f64(row.elapsed_ms / 1e3)),
        ]);
    }
    table
}

//! `portkeeper prepare`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::{Prepared, PreparedOutput, other_user};
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help, PrepareEnv, Table};
use crate::config::{self, Config};
use crate::fs::worktree_root;
use crate::model::{Guarantee, LeaseName, Project, Reservation};
use crate::plugins::{Diagnostic, Severity};
use crate::prepare::{Job, Mode, OutputReport, Report, prepare};
use crate::registry::reserved;
use crate::reserve::{Granted, with_twins};

#[derive(Debug, Args)]
pub(crate) struct PrepareArgs {
    /// The config [default: pk.config.json, .yaml or .yml in this directory or the nearest above, up to the root of the worktree]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    /// The same
    #[arg(long, short, value_name = "FILE", conflicts_with = "file")]
    config: Option<PathBuf>,

    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Print what would change in the files as a unified diff, and change nothing
    #[arg(long)]
    diff: bool,

    /// Change nothing, and exit with 1 if a port or a file would change
    #[arg(long)]
    check: bool,

    /// Exit with 1 if anything uses one of the ports already, be it your own server
    #[arg(long)]
    require_free: bool,
}

impl Documented for PrepareArgs {
    const HELP: Help = Help {
        description: "\
            One config names the ports and the files. All ports are reserved or none; everything is rendered before anything is written, \
            and everything is written or nothing. Run again, it gives the same ports and writes only what changed. A key that is no longer \
            in the config is released.",
        examples: &[
            ("portkeeper prepare", "Prepare the stack of the nearest pk.config.json"),
            ("portkeeper prepare --diff", "Print what would change in the files"),
            ("portkeeper prepare --check", "Exit with 1 if a port or file is out of date, for CI"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &PrepareArgs) -> CommandResult {
    let config = config(context, args)?;
    let mode = if args.dry_run || args.diff || args.check { Mode::DryRun } else { Mode::Write };
    let (stage, store) = (PrepareEnv::new(context, mode)?, context.store()?);
    let holds = config.ports.iter().any(|port| port.hold.or(config.hold).is_some());
    let machine = if holds { context.holding_machine(&store)? } else { context.machine(&store)? };
    let job = Job::of_config(&config);
    let report = prepare(&job, &stage.surroundings(), &store, &machine, mode, args.require_free)?;
    tell(context, &report, mode);
    context.tell_holds(&report.granted);
    let printer = &context.printer;
    let answer = match printer.format_or_json() {
        _ if args.diff => printer.patch(&report.diff),
        Format::Table => printer.text(table(&report, mode)),
        Format::Json | Format::Jsonl => printer.json(&answer(&report, mode)),
    };
    match answer {
        Err(error) if mode == Mode::Write => {
            let ports: Vec<_> = report.granted.iter().map(|granted| granted.reservation.port).collect();
            let done = format!("{}, and the files are written", reserved(&ports));
            return Err(CommandError::done_but(done, &error));
        }
        answer => answer?,
    }
    if args.check && report.changes() {
        let missing = outdated(&report).join(", ");
        return Err(CommandError::no(format_args!("out of date: {missing}"))
            .hint("`portkeeper prepare` brings it up to date, `portkeeper prepare --diff` shows what changes"));
    }
    Ok(ExitCode::SUCCESS)
}

/// What a prepare would change.
fn outdated(report: &Report) -> Vec<String> {
    let changing = report.granted.iter().filter(|granted| !granted.existed || !granted.replaced.is_empty());
    let reservations = changing.map(|granted| &granted.reservation).chain(&report.orphans);
    let mut outdated: Vec<String> = Vec::new();
    for LeaseName { name, .. } in reservations.filter_map(Reservation::name) {
        // One with both protocols is named once.
        if !outdated.contains(name) {
            outdated.push(name.clone());
        }
    }
    outdated.extend(report.outputs.iter().filter(|output| output.changed).map(|output| output.path.clone()));
    outdated
}

fn config(context: &Context, args: &PrepareArgs) -> Result<Config, CommandError> {
    if let Some(path) = args.file.as_ref().or(args.config.as_ref()) {
        return context.named_config(path);
    }
    let directory = context.current_directory()?;
    match config::find(&directory, &context.owners)? {
        Some(config) => {
            context.tell_config(config.path(), &directory);
            Ok(config.load()?)
        }
        None => Err(no_config(&directory, worktree_root(&directory)?)),
    }
}

fn no_config(directory: &Path, root: Option<&Path>) -> CommandError {
    let names = Project::CONFIGS.join(", ");
    let place = match root {
        Some(root) if root == directory => format!("in {}, which is the root of a worktree", directory.display()),
        Some(root) => {
            format!("in {} or above, up to the root of the worktree, {}", directory.display(), root.display())
        }
        None => format!("in {} or above", directory.display()),
    };
    let missing = CommandError::usage(format_args!("there is none of {names} {place}"));
    match config::find_above_worktree(directory) {
        Some(above) => missing.hint(format_args!(
            "{0} belongs to another project: -c {0} uses it, with its ports and files; for ports of this worktree's own, copy it here",
            above.display()
        )),
        None => missing
            .hint("name a config with --config FILE, or write one: `portkeeper schema` says what can stand in it"),
    }
}

/// What happened besides the answer.
pub(super) fn tell(context: &Context, report: &Report, mode: Mode) {
    context.tell_notices(&report.notices);
    let printer = &context.printer;
    for granted in &report.granted {
        let Granted { reservation, .. } = granted;
        let name = reservation.name().map_or("", |name| &name.name);
        if let Some(old) = granted.moved_from() {
            let verb = if mode == Mode::Write { "moved" } else { "would move" };
            printer.note(format_args!("{name} {verb} from {old} to {}: the old port no longer fits", reservation.port));
        }
        context.tell_narrowed(granted, mode);
        let port = reservation.port;
        if context.tell_not_held(granted, &report.granted) {
            continue;
        }
        if let Some(occupied) = other_user(granted) {
            printer.note(format_args!("{name} keeps {port}: {occupied}"));
        }
    }
    for orphan in &report.orphans {
        let name = orphan.name().map_or("", |name| &name.name);
        let verb = if mode == Mode::Write { "released" } else { "would release" };
        printer.note(format_args!("{verb} {}:{}: the config no longer has {name}", orphan.host, orphan.port));
    }
    report.still_held.iter().for_each(|(_, refusal)| printer.warn(refusal));
    for OutputReport { path, diagnostics, .. } in &report.outputs {
        for Diagnostic { severity, message, path: of, line } in diagnostics {
            let place = line.map(|line| format!(":{line}")).unwrap_or_default();
            let text = format!("{}{place}: {message}", of.as_deref().unwrap_or(path));
            match severity {
                Severity::Info => printer.note(text),
                Severity::Warning => printer.warn(text),
            }
        }
    }
}

fn status(output: &OutputReport, mode: Mode) -> &'static str {
    match (output.changed, mode) {
        (false, _) => "unchanged",
        (true, Mode::Write) => "written",
        (true, Mode::DryRun) => "would-write",
    }
}

fn answer<'a>(report: &'a Report, mode: Mode) -> Prepared<'a> {
    let named = || {
        let name = |granted: &'a Granted| Some(granted.reservation.name()?.name.as_str());
        with_twins(&report.granted).filter_map(move |(granted, twin)| Some((name(granted)?, granted, twin)))
    };
    let output = |output: &'a OutputReport| PreparedOutput {
        format: &output.format,
        path: &output.path,
        status: status(output, mode),
    };
    Prepared {
        reserved: named().map(|(name, granted, _)| (name, granted.reservation.port)).collect(),
        // Of all together: the weakest.
        guarantee: report.granted.iter().map(Granted::guarantee).min().unwrap_or(Guarantee::Advisory),
        guarantees: named().map(|(name, granted, twin)| (name, granted.guarantee_with(twin))).collect(),
        outputs: report.outputs.iter().map(output).collect(),
    }
}

fn table(report: &Report, mode: Mode) -> String {
    let mut ports = Table::new(&["KEY", "HOST", "PORT", "GUARANTEE"]);
    for (granted, twin) in with_twins(&report.granted) {
        let reservation = &granted.reservation;
        let name = reservation.name().map(|name| name.name.clone()).unwrap_or_default();
        let guarantee = granted.guarantee_with(twin).to_string();
        ports.row([name, reservation.host.to_string(), reservation.port.to_string(), guarantee]);
    }
    let mut files = Table::new(&["FILE", "TYPE", "STATUS"]);
    for output in &report.outputs {
        files.row([output.path.clone(), output.format.clone(), status(output, mode).to_owned()]);
    }
    if report.outputs.is_empty() { ports.to_string() } else { format!("{ports}\n{files}") }
}

//! `portkeeper doctor`

use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::Diagnosis;
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help};
use crate::config::{self, ConfigError};
use crate::doctor::{self, Finding, Severity};
use crate::os;
use crate::probe::local_addresses;
use crate::registry::FileStore;
use crate::reserve::Machine;

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {}

pub(crate) fn run(context: &Context, DoctorArgs {}: &DoctorArgs) -> CommandResult {
    let findings = examine(context);
    let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem).count();
    match context.printer.format() {
        Format::Table => context.printer.text(table(&findings, problems))?,
        Format::Jsonl => findings.iter().try_for_each(|finding| context.printer.json(finding))?,
        Format::Json => context.printer.json(&Diagnosis { problems, findings: &findings })?,
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Documented for DoctorArgs {
    const HELP: Help = Help {
        description: "\
            Checks the registry and its lock, stale reservations, the kernel's settings, the clock, and what else portkeeper depends on. \
            Nothing is changed. Exits with 1 when there is a problem; notes are not problems.",
        examples: &[
            ("portkeeper doctor", "Check this machine and user"),
            ("portkeeper doctor --json", "Print the findings as JSON"),
        ],
    };
}

/// Where one check has nothing to look at, the others go on.
fn examine(context: &Context) -> Vec<Finding> {
    let mut findings = surroundings(context);
    match context.store().and_then(|store| Ok((context.machine(&store)?, store))) {
        Ok((machine, store)) => findings.extend(registry(&store, &machine)),
        Err(error) => findings.push(Finding::problem(
            "registry",
            error.message(),
            "set HOME or XDG_STATE_HOME, or choose a file with --registry",
        )),
    }
    findings.push(doctor::tables());
    if let Ok(settings) = context.settings() {
        findings.push(doctor::cache(&settings.cache));
        findings.push(match crate::trust::Trust::load(&settings.trust_file()) {
            Ok(_) => Finding::ok("trust", "readable"),
            Err(error) => Finding::problem("trust", error.to_string(), "see to its owner and mode, or trust anew"),
        });
    }
    findings
}

/// What commands are given by whatever starts them.
fn surroundings(context: &Context) -> Vec<Finding> {
    let directory = match context.current_directory() {
        Ok(directory) => Finding::ok("directory", directory.display().to_string()),
        Err(error) => Finding::problem("directory", error.message(), "cd to a directory that is there"),
    };
    let config = context.current_directory().ok().map(|directory| config(context, &directory));
    let host = context.default_host().and_then(|host| Ok((local_addresses(&host)?, host)));
    let host = match host {
        Ok((_, host)) => Finding::ok("host", host.to_string()),
        Err(error) => Finding::problem("host", error.message(), "unset PORTKEEPER_HOST, or set it to 127.0.0.1"),
    };
    [Some(directory), config, Some(host)].into_iter().flatten().collect()
}

const CONFIG: &str = "config";

/// The config that commands in the directory go by: whether they are let, and whether it makes sense.
fn config(context: &Context, directory: &Path) -> Finding {
    let found = match config::find(directory, &context.owners) {
        Ok(Some(found)) => found,
        Ok(None) => return Finding::ok(CONFIG, format!("none in {} or above", directory.display())),
        Err(error) => return config_problem(error),
    };
    let (path, stranger) = (found.path().display().to_string(), found.stranger());
    match (found.load(), stranger) {
        (Err(error), _) => config_problem(error),
        (Ok(_), Some(stranger)) => Finding::ok(CONFIG, format!("{path}, which is trusted though {stranger}")),
        (Ok(_), None) => Finding::ok(CONFIG, path),
    }
}

fn config_problem(error: ConfigError) -> Finding {
    let error = CommandError::from(error);
    Finding::problem(CONFIG, error.message(), error.help().unwrap_or("correct it, or see to its owner and mode"))
}

fn registry(store: &FileStore<'_>, machine: &Machine) -> Vec<Finding> {
    let (mut findings, snapshot) = doctor::registry(store);
    findings.extend(doctor::state_directory(store));
    findings.push(doctor::lock(store));
    if let Some(snapshot) = &snapshot {
        findings.push(doctor::stale(snapshot, machine));
        findings.extend(doctor::holds(snapshot, machine));
        findings.push(doctor::projects(snapshot, machine));
        findings.push(doctor::ephemeral(snapshot, machine, os::ephemeral_ports(), &os::set_aside_ports()));
        findings.push(doctor::clock(snapshot, machine));
    }
    findings
}

fn table(findings: &[Finding], problems: usize) -> crate::app::Sections {
    let mut text = crate::app::Sections::new(match problems {
        0 => "nothing is wrong".to_owned(),
        1 => "1 problem".to_owned(),
        several => format!("{several} problems"),
    });
    for Finding { about, severity, what, remedy } in findings {
        let mark = match severity {
            Severity::Ok => "",
            Severity::Note => "note: ",
            Severity::Problem => "PROBLEM: ",
        };
        text.line(about, format!("{mark}{what}"));
        if let Some(remedy) = remedy {
            text.remedy(remedy);
        }
    }
    text
}

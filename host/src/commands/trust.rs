//! `portkeeper trust`

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};

use crate::app::answers::{TrustedPlugin, TrustedTarget, TrustedView};
use crate::app::{CommandError, CommandResult, Context, Documented, Format, Help, Table};
use crate::config;
use crate::fs::{PathContext, not_a_file, open_regular, read_up_to};
use crate::model::Digest;
use crate::output::belongs_to_portkeeper;
use crate::plugins::{LARGEST_PLUGIN, is_plugin};
use crate::trust::{Trust, canonical};

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct TrustArgs {
    /// The plugin, or the file to be written
    #[arg(value_name = "PATH", group = "what")]
    path: Option<PathBuf>,

    /// Take the trust back
    #[arg(long, requires = "path")]
    remove: bool,

    /// Show everything that is trusted
    #[arg(long, group = "what")]
    list: bool,
}

impl Documented for TrustArgs {
    const HELP: Help = Help {
        description: "\
            A plugin that comes with a repository or a config is other people's code: it runs only after you have trusted it here, \
            exactly as it is now; when it changes, it must be trusted again. Any other file becomes one that the configs of the current \
            project may write, though it is not in the project's directory.",
        examples: &[
            ("portkeeper trust plugins/caddy.wasm", "Let a project's plugin run"),
            ("portkeeper trust --list", "Show everything that is trusted"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &TrustArgs) -> CommandResult {
    let mut trust = Trust::load(&context.settings()?.trust_file())?;
    match &args.path {
        None => list(context, &trust)?,
        Some(path) if args.remove => {
            if !trust.remove(path, &context.patience())? {
                return Err(CommandError::no(format_args!("{} was not trusted", path.display())));
            }
            context.printer.note(format_args!("{} is trusted no more", path.display()));
        }
        Some(path) => add(context, &mut trust, path)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(context: &Context, trust: &mut Trust, path: &Path) -> Result<(), CommandError> {
    let bytes = plugin(path)?;
    if bytes.is_none() && path.extension().is_some_and(|extension| extension == "wasm") {
        let why = if path.exists() { "is not a plugin: it is not WebAssembly" } else { "does not exist" };
        return Err(CommandError::usage(format_args!("{} {why}", path.display())));
    }
    if let Some(bytes) = bytes {
        let digest = Digest::of(&bytes);
        trust.add_plugin(path, &digest, &context.patience())?;
        context
            .printer
            .note(format_args!("{} may run, with the content that it has now (SHA-256 {digest})", path.display()));
        return Ok(());
    }
    let directory = context.current_directory()?;
    let config = config::find(&directory, &context.owners)?;
    let project = config.map_or(directory, |config| config.directory().to_owned());
    refuse_target(&project, path)?;
    trust.add_target(&project, path, &context.patience())?;
    context.printer.note(format_args!("the configs in {} may write {}", project.display(), path.display()));
    Ok(())
}

/// Refuses what no config may write, trusted or not.
fn refuse_target(project: &Path, path: &Path) -> Result<(), CommandError> {
    let refused = |why: &str| Err(CommandError::usage(format_args!("{} cannot be trusted: {why}", path.display())));
    match canonical(path) {
        Ok(real) if real.is_dir() => refused("it is a directory, and a config writes files: name the file"),
        Ok(real) if belongs_to_portkeeper(&real, &project.canonicalize().at(project)?) => {
            refused("no output may change what portkeeper itself goes by (configs, portkeeper.lock, .portkeeper)")
        }
        // What is wrong with the path, the file of trust will say.
        _ => Ok(()),
    }
}

/// The bytes, when the file is a plugin.
fn plugin(path: &Path) -> Result<Option<Vec<u8>>, CommandError> {
    let file = match open_regular(path) {
        // It need not be there to be trusted; if it is, the file of trust will refuse what it cannot be.
        Err(error) if error.kind() == ErrorKind::NotFound || not_a_file(&error).is_some() => return Ok(None),
        file => file.at(path)?,
    };
    let bytes = read_up_to(file, LARGEST_PLUGIN).at(path)?;
    Ok(is_plugin(&bytes).then_some(bytes))
}

fn list(context: &Context, trust: &Trust) -> std::io::Result<()> {
    let (trusted, printer) = (trust.list(), &context.printer);
    if printer.format() != Format::Table {
        let plugins = trusted.plugins.iter();
        let plugins = plugins.map(|plugin| TrustedPlugin { path: &plugin.path, sha256: plugin.sha256.to_string() });
        let targets = trusted.targets.iter();
        let targets = targets.map(|target| TrustedTarget { path: &target.path, project: &target.project });
        return printer.json(&TrustedView { plugins: plugins.collect(), targets: targets.collect() });
    }
    if trusted.plugins.is_empty() && trusted.targets.is_empty() {
        return printer.line("nothing is trusted");
    }
    let mut table = Table::new(&["KIND", "PATH", "SHA-256 OR PROJECT"]);
    for plugin in trusted.plugins {
        table.row(["plugin".into(), plugin.path.display().to_string(), plugin.sha256.to_string()]);
    }
    for target in trusted.targets {
        table.row(["target".into(), target.path.display().to_string(), target.project.display().to_string()]);
    }
    printer.text(table)
}

//! `portkeeper plugin add`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::app::answers::{AddedFileView, AddedPlugin};
use crate::app::{CommandResult, Context, Format, PluginLibrary, Table};
use crate::install::{Added, Before, Scope, Turn, add};
use crate::plugins::Examined;

/// Install a plugin, so that configs can name its types
///
/// The plugin is checked, asked for its description, compiled, and copied to your own plugins. With --project it goes to the project's plugins,
/// its digest goes into portkeeper.lock for everyone who works on the project, and you trust it as it is now. Commit both files.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The plugin's file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Install it for the project around the current directory
    #[arg(long)]
    project: bool,

    /// Put it in the place of another plugin for the same type
    #[arg(long)]
    replace: bool,
}

pub(crate) fn run(context: &Context, args: &AddArgs) -> CommandResult {
    let mut shelf = PluginLibrary::new(context)?.keeping();
    let plugin = shelf.engine.examine(&args.file)?;
    let scope = if args.project { Scope::Project(&shelf.project) } else { Scope::User(&shelf.settings.plugins) };
    let (locks, patience) = (shelf.settings.locks(), context.patience());
    let turn = Turn { locks: &locks, patience: &patience };
    let added = add(&plugin, scope, &shelf.engine, args.replace, turn)?;
    if args.project {
        for file in &added.files {
            shelf.trust.add_plugin(&file.path, plugin.plugin.digest(), &context.patience())?;
        }
    }
    tell(context, &plugin, &added);
    let printer = &context.printer;
    match printer.format() {
        Format::Table => printer.text(table(&added))?,
        Format::Json | Format::Jsonl => printer.json(&answer(&plugin, &added))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(context: &Context, plugin: &Examined, added: &Added) {
    for name in &added.built_in {
        context.printer.note(format_args!(
            "`{name}` stays the built-in one; a config can take it over: \"plugins\": {{\"{name}\": {{\"path\": …}}}}"
        ));
    }
    let metadata = plugin.plugin.metadata();
    let types = added.files.iter().map(|file| format!("`{}`", file.output_type)).collect::<Vec<_>>();
    context.printer.note(format_args!(
        "{} {} renders {} from now on",
        metadata.name,
        metadata.version,
        types.join(", ")
    ));
}

fn status(before: &Before) -> String {
    match before {
        Before::Nothing => "new".to_owned(),
        Before::Same => "unchanged".to_owned(),
        Before::Version(version) => format!("was {version}"),
        Before::Other => "replaced".to_owned(),
    }
}

fn answer<'a>(plugin: &'a Examined, added: &'a Added) -> AddedPlugin<'a> {
    let metadata = plugin.plugin.metadata();
    let file = |file: &'a crate::install::AddedFile| AddedFileView {
        output_type: &file.output_type,
        path: &file.path,
        status: status(&file.before),
    };
    AddedPlugin {
        name: &metadata.name,
        version: &metadata.version,
        sha256: plugin.plugin.digest().to_string(),
        files: added.files.iter().map(file).collect(),
    }
}

fn table(added: &Added) -> Table {
    let mut table = Table::new(&["TYPE", "STATUS", "FILE"]);
    for file in &added.files {
        table.row([file.output_type.clone(), status(&file.before), file.path.display().to_string()]);
    }
    table
}

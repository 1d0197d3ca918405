//! `portkeeper plugin list`

use std::process::ExitCode;

use clap::Args;

use super::words;
use crate::app::answers::TypeView;
use crate::app::{CommandResult, Context, Format, PluginLibrary, Table};
use crate::plugins::{Catalogue, Origin, PluginError, TypeInfo};

/// List every output type that a config can name here, and where its plugin comes from
///
/// A plugin that may not run is listed and not asked who it is.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {}

pub(crate) fn run(context: &Context, _: &ListArgs) -> CommandResult {
    let rows: Vec<_> = PluginLibrary::new(context)?
        .with_catalogue(|catalogue| catalogue.types().into_iter().map(|info| row(catalogue, info)).collect());
    let printer = &context.printer;
    match printer.format() {
        Format::Table => printer.text(table(&rows))?,
        format => printer.json_list(format, &rows)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row(catalogue: &Catalogue<'_>, info: TypeInfo) -> TypeView {
    let found = catalogue.find(&info.name);
    let trust = match (&info.origin, &found) {
        (Origin::BuiltIn(_), _) => "built-in",
        (
            _,
            Err(PluginError::NotTrusted { .. } | PluginError::NotPinned { .. } | PluginError::OtherThanPinned { .. }),
        ) => "no",
        (Origin::User(_), _) => "own",
        (_, Ok(_)) => "trusted",
        (_, Err(_)) => "no",
    };
    let (plugin, problem) = match found {
        Ok(plugin) => (Some(plugin), None),
        Err(error) => (None, Some(error)),
    };
    let metadata = plugin.as_ref().map(crate::plugins::Plugin::metadata);
    let digest = match &problem {
        Some(PluginError::NotTrusted { digest, .. }) => Some(*digest),
        Some(PluginError::OtherThanPinned { found, .. } | PluginError::WrongDigest { found, .. }) => Some(*found),
        _ => plugin.as_ref().map(|plugin| *plugin.digest()),
    };
    TypeView {
        origin: words::origin(&info.origin),
        path: info.origin.path().map(|path| path.display().to_string()),
        name: info.name,
        aliases: info.aliases,
        version: metadata.map(|metadata| metadata.version.clone()),
        description: metadata.map(|metadata| metadata.description.clone()),
        sha256: digest.map(|digest| digest.to_string()),
        trust,
        advice: problem.as_ref().and_then(PluginError::help),
        problem: problem.map(|problem| problem.to_string()),
    }
}

fn table(rows: &[TypeView]) -> Table {
    let mut table = Table::new(&["TYPE", "VERSION", "FROM", "TRUST", "WHAT IT WRITES"]);
    for row in rows {
        let names = std::iter::once(&row.name).chain(&row.aliases).cloned().collect::<Vec<_>>();
        let what = row.problem.as_ref().map(|problem| format!("cannot be used: {problem}"));
        table.row([
            names.join(", "),
            row.version.clone().unwrap_or_default(),
            row.origin.to_owned(),
            row.trust.to_owned(),
            what.or_else(|| row.description.clone()).unwrap_or_default(),
        ]);
    }
    table
}

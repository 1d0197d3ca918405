//! `portkeeper schema`

use std::process::ExitCode;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde_json::Value;

use crate::app::answers::{ANSWERS, schema_of};
use crate::app::{CommandResult, Context, Documented, Help, PluginLibrary};
use crate::config;
use crate::options::{self, OptionsSchema};
use crate::plugins::{Catalogue, Metadata, PluginError};

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Leave out plugins: the same answer in every directory and for every user
    #[arg(long)]
    built_in: bool,

    /// Print the schema of what a command answers in JSON, instead of that of the config
    #[arg(long, value_name = "COMMAND", conflicts_with = "built_in", value_parser = answering())]
    output: Option<String>,
}

/// The commands that answer in JSON, as `--output` takes them.
fn answering() -> PossibleValuesParser {
    ANSWERS.iter().map(|(command, ..)| *command).collect::<Vec<_>>().into()
}

impl Documented for SchemaArgs {
    const HELP: Help = Help {
        description: "\
            It includes the options of every installed format. Those of a plugin that may not run are left out, as are those of a type \
            that is not installed: a config may have any. Save it and name it in the config: `\"$schema\": \"./pk.schema.json\"`.",
        examples: &[
            ("portkeeper schema", "The schema with the options of all installed plugins"),
            ("portkeeper schema --built-in", "The same answer in every directory and for every user"),
            ("portkeeper schema --output status", "The schema of what status answers in JSON"),
        ],
    };
}

/// A type of output, as the schema needs it.
struct Format {
    types: Vec<String>,
    path: Option<String>,
    options: OptionsSchema,
}

pub(crate) fn run(context: &Context, args: &SchemaArgs) -> CommandResult {
    if let Some(schema) = args.output.as_deref().and_then(schema_of) {
        context.printer.pretty_json(&schema)?;
        return Ok(ExitCode::SUCCESS);
    }
    let formats = PluginLibrary::new(context)?.with_catalogue(|catalogue| formats(context, catalogue, args.built_in));
    context.printer.pretty_json(&schema(&formats))?;
    Ok(ExitCode::SUCCESS)
}

fn formats(context: &Context, catalogue: &Catalogue<'_>, only_built_in: bool) -> Vec<Format> {
    let types = catalogue.types().into_iter().filter(|info| !only_built_in || info.origin.path().is_none());
    let format = |info: crate::plugins::TypeInfo| {
        let plugin = catalogue.find(&info.name).map_err(|error| warn(context, &error)).ok()?;
        let Metadata { default_path, options_schema, .. } = plugin.metadata().clone();
        // A plugin of others only proposes a file: the config has to name it.
        let default_path = default_path.filter(|_| plugin.origin().is_built_in());
        let types = std::iter::once(info.name).chain(info.aliases).collect();
        Some(Format { types, path: default_path, options: options_schema })
    };
    types.filter_map(format).collect()
}

fn warn(context: &Context, error: &PluginError) {
    let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
    context.printer.warn(format_args!("its options are left out: {error}{help}"));
}

fn schema(formats: &[Format]) -> Value {
    let mut schema = config::schema();
    let formats = formats.iter().map(|format| (format.types.as_slice(), format.path.as_deref(), &format.options));
    options::embed(&mut schema, config::OUTPUT_FIELDS, formats);
    schema
}

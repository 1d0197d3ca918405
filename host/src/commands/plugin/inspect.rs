//! `portkeeper plugin inspect`

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::words;
use crate::app::answers::InspectedPlugin;
use crate::app::{CommandError, CommandResult, Context, Format, PluginLibrary, Table};
use crate::document::harmless_line;
use crate::options::OptionsSchema;
use crate::plugins::{Engine, Examined, Limits};

/// Show what a plugin is: its interface, what it needs and offers, its types and options, its size and digest
///
/// A plugin need not be trusted for that. Only its `describe` runs, in the sandbox, and what is compiled is thrown away.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The plugin's file, or a type: its plugin is looked up as a prepare does it
    #[arg(value_name = "FILE|TYPE")]
    plugin: String,
}

pub(crate) fn run(context: &Context, args: &InspectArgs) -> CommandResult {
    let examined = examine(context, &args.plugin)?;
    let printer = &context.printer;
    match printer.format() {
        Format::Table => printer.text(text(&examined))?,
        Format::Json | Format::Jsonl => printer.json(&answer(&examined))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The plugin of the file or type. It is compiled anew, because how long that takes is part of the answer.
fn examine(context: &Context, plugin: &str) -> Result<Examined, CommandError> {
    let path = Path::new(plugin);
    let is_file = path.components().count() > 1 || path.extension().is_some() || path.is_file();
    if is_file {
        return Ok(Engine::new(None, Limits::default()).examine(path)?);
    }
    Ok(PluginLibrary::new(context)?.uncached().with_catalogue(|catalogue| catalogue.examine(plugin))?)
}

fn answer(examined: &Examined) -> InspectedPlugin<'_> {
    let metadata = examined.plugin.metadata();
    InspectedPlugin {
        name: &metadata.name,
        version: &metadata.version,
        description: &metadata.description,
        types: &metadata.output_types,
        default_path: metadata.default_path.as_deref(),
        default_inputs: &metadata.default_inputs,
        origin: words::origin(examined.plugin.origin()),
        path: examined.plugin.origin().path(),
        kind: words::kind(examined.kind),
        size_bytes: examined.bytes.len(),
        component_size_bytes: examined.component_size,
        sha256: examined.plugin.digest().to_string(),
        interface: &examined.interface.version,
        imports: &examined.interface.imports,
        exports: &examined.interface.exports,
        compile_ms: examined.compile_time.as_secs_f64() * 1e3,
        options_schema: metadata.options_schema.as_value(),
        unchecked_keywords: metadata.options_schema.unchecked(),
    }
}

fn text(examined: &Examined) -> String {
    let metadata = examined.plugin.metadata();
    let title = format!("{} {}: {}", metadata.name, metadata.version, metadata.description);
    let mut text = format!("{}\n", harmless_line(&title));
    let mut line = |name: &str, value: String| {
        let value = if value.is_empty() { "-".to_owned() } else { harmless_line(&value) };
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("file", examined.plugin.origin().path().map_or("built in".to_owned(), |path| path.display().to_string()));
    let file = format!("{}, a {}", words::size(examined.bytes.len()), words::kind(examined.kind));
    line(
        "size",
        if examined.component_size == examined.bytes.len() {
            file
        } else {
            format!("{file}; as a component {}", words::size(examined.component_size))
        },
    );
    line("sha256", examined.plugin.digest().to_string());
    line("interface", format!("portkeeper:output {}", examined.interface.version));
    line("imports", examined.interface.imports.join(", "));
    line("exports", examined.interface.exports.join(", "));
    line("compiled in", words::time(examined.compile_time));
    line("types", metadata.output_types.join(", "));
    // What a plugin of others proposes is not done before a config says it.
    let label =
        |what| if examined.plugin.origin().is_built_in() { format!("usual {what}") } else { format!("asks: {what}") };
    line(&label("file"), metadata.default_path.clone().unwrap_or_default());
    line(&label("inputs"), metadata.default_inputs.join(", "));
    let unchecked = metadata.options_schema.unchecked();
    if !unchecked.is_empty() {
        line("left to it", format!("{} in its options-schema, which portkeeper does not check", unchecked.join(", ")));
    }
    let options = options(&metadata.options_schema);
    options.map_or(text.clone(), |options| format!("{text}\n{options}"))
}

/// The options as a table; none when there are none.
fn options(schema: &OptionsSchema) -> Option<Table> {
    schema.names().next()?;
    let mut table = Table::new(&["OPTION", "TYPE", "DEFAULT", "WHAT IT MEANS"]);
    for (name, option) in schema.properties() {
        let default = match option.get("default") {
            Some(default) => default.to_string(),
            None if schema.requires(name) => "required".to_owned(),
            None => String::new(),
        };
        let description = option.get("description").and_then(Value::as_str).unwrap_or_default();
        table.row([name.to_owned(), type_of(option), default, description.to_owned()]);
    }
    Some(table)
}

/// What an option's schema says about its type, in short.
fn type_of(option: &Value) -> String {
    let words = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (option.get("type"), option.get("enum")) {
        (_, Some(Value::Array(values))) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "),
        (Some(Value::Array(types)), _) => types.iter().map(words).collect::<Vec<_>>().join(" or "),
        (Some(name), _) => words(name),
        (None, _) => String::new(),
    }
}

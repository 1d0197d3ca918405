//! `portkeeper plugin`

mod add;
mod build;
mod cache;
mod inspect;
mod list;
mod new;
mod remove;
mod test;
mod words;

use clap::{Args, Subcommand};

use crate::app::{CommandResult, Context, Documented, Help};

#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

impl Documented for PluginArgs {
    const HELP: Help = Help {
        description: "\
            A plugin renders one or more output types that a config names. It runs in a sandbox: it sees what the config shows it, and \
            returns text. Nothing is downloaded.",
        examples: &[
            ("portkeeper plugin list", "Every output type, and which plugin renders it"),
            ("portkeeper plugin inspect caddy.wasm", "What a plugin is and needs"),
            ("portkeeper plugin new caddy", "Start a plugin in Rust"),
        ],
    };
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    List(list::ListArgs),
    Inspect(inspect::InspectArgs),
    Add(add::AddArgs),
    Remove(remove::RemoveArgs),
    New(new::NewArgs),
    Build(build::BuildArgs),
    Test(test::TestArgs),
    Cache(cache::CacheArgs),
}

pub(crate) fn run(context: &Context, args: &PluginArgs) -> CommandResult {
    match &args.command {
        PluginCommand::List(args) => list::run(context, args),
        PluginCommand::Inspect(args) => inspect::run(context, args),
        PluginCommand::Add(args) => add::run(context, args),
        PluginCommand::Remove(args) => remove::run(context, args),
        PluginCommand::New(args) => new::run(context, args),
        PluginCommand::Build(args) => build::run(context, args),
        PluginCommand::Test(args) => test::run(context, args),
        PluginCommand::Cache(args) => cache::run(context, args),
    }
}

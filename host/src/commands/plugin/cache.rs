//! `portkeeper plugin cache`

use std::process::ExitCode;

use clap::Args;

use super::words;
use crate::app::answers::{CacheView, CachedPlugin};
use crate::app::{CommandResult, Context, Format, Table};
use crate::plugins::{CacheEntry, Cached};

/// Show what is kept of compiled plugins, or clear it
///
/// Nothing is lost with it: a plugin that is needed again is compiled again. Entries of former versions go by themselves after a month.
#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    /// Remove all of it
    #[arg(long)]
    clear: bool,
}

pub(crate) fn run(context: &Context, args: &CacheArgs) -> CommandResult {
    let directory = context.settings()?.cache;
    let cached = Cached::look(&directory)?;
    if args.clear {
        cached.clear()?;
    }
    let printer = &context.printer;
    match printer.format() {
        Format::Table if args.clear => {
            printer.line(format_args!("cleared {}: {}", directory.display(), summary(&cached)))?;
        }
        Format::Table => printer.text(table(&cached))?,
        Format::Json | Format::Jsonl => printer.json(&answer(&cached, args.clear))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(cached: &Cached) -> String {
    let bytes = cached.entries.iter().map(|entry| entry.size).sum();
    format!("{} compiled plugins, {}", cached.entries.len(), words::size(bytes))
}

fn answer<'a>(cached: &'a Cached, cleared: bool) -> CacheView<'a> {
    let entry = |entry: &'a CacheEntry| {
        let CacheEntry { digest, path, size } = entry;
        CachedPlugin { sha256: digest, path, size_bytes: *size }
    };
    CacheView { directory: &cached.directory, cleared, entries: cached.entries.iter().map(entry).collect() }
}

fn table(cached: &Cached) -> String {
    let summary = format!("{}: {}\n", cached.directory.display(), summary(cached));
    if cached.entries.is_empty() {
        return summary;
    }
    let mut table = Table::new(&["SHA-256 OF THE PLUGIN", "COMPILED SIZE"]);
    for entry in &cached.entries {
        table.row([entry.digest.clone(), words::size(entry.size)]);
    }
    format!("{summary}\n{table}")
}

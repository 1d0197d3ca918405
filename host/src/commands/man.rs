//! `portkeeper man`: the manual pages, made from what the command line and the config's schema say of themselves.

mod config_page;
mod facts;
mod page;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Command};

use crate::app::{CommandResult, Context, Documented, Help};
use crate::fs::{PathContext, write_atomic};

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write one page for each command into this directory, which is made if it is not there
    #[arg(value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

impl Documented for ManArgs {
    const HELP: Help = Help {
        description: "\
            Without a directory, prints the page of the program itself. With one, writes a page for each command and the page of the \
            config, portkeeper.config(5). Pages of section 5 belong beside those of section 1, in man5.",
        examples: &[
            ("portkeeper man", "Print portkeeper(1)"),
            ("portkeeper man ~/.local/share/man/man1", "Write all pages into a directory"),
        ],
    };
}

pub(crate) fn run(context: &Context, args: &ManArgs, mut command: Command) -> CommandResult {
    // Usage lines then have the whole command, and every command knows the global options.
    command.build();
    match &args.directory {
        Some(directory) => {
            fs::create_dir_all(directory).at(directory)?;
            for (name, text) in pages(&command)? {
                let path = directory.join(name);
                // What has a page's name there is replaced if it is a file, and never written through.
                write_atomic(&path, &text, Some(0o644))?;
            }
        }
        None => context.printer.text(String::from_utf8_lossy(&page::of(&command)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Every page, by the name of its file.
fn pages(command: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![("portkeeper.config.5".to_owned(), config_page::page()?)];
    let mut left = vec![command];
    while let Some(command) = left.pop() {
        pages.push((format!("{}.1", page::name(command)), page::of(command)?));
        left.extend(command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help"));
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_that_the_program_reads_is_in_the_manual() {
        let mut directories = vec![PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        let mut seen = 0;
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    directories.push(entry);
                    continue;
                }
                let text = fs::read_to_string(entry).unwrap();
                for rest in text.split("\"PORTKEEPER_").skip(1) {
                    let name: String = rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
                    if !name.starts_with("TEST_") && !name.is_empty() {
                        seen += 1;
                        let name = format!("PORTKEEPER_{name}");
                        assert!(
                            facts::ENVIRONMENT.iter().any(|(variable, _)| *variable == name),
                            "{name} is undocumented"
                        );
                    }
                }
            }
        }
        assert!(seen > 0);
    }
}

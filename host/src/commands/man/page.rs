//! The page of one command.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::facts;

/// The page's name: the words of the command with hyphens between them.
pub(super) fn name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// The page as roff.
pub(super) fn of(command: &Command) -> io::Result<Vec<u8>> {
    let name = name(command);
    let program = !name.contains('-');
    let man = Man::new(command.clone())
        .title(name.to_uppercase())
        .section("1")
        .date(facts::DATE)
        .source(concat!("portkeeper ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(command).to_writer(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut roff = Roff::new();
    definitions(
        &mut roff,
        "EXIT STATUS",
        if name == "portkeeper-run" { facts::EXIT_STATUS_OF_RUN } else { facts::EXIT_STATUS },
    );
    if program {
        definitions(&mut roff, "ENVIRONMENT", facts::ENVIRONMENT);
        definitions(&mut roff, "FILES", facts::FILES);
    }
    examples(&mut roff, command);
    see_also(&mut roff, command, program);
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// The line of usage: the sections below have the options.
fn synopsis(command: &Command) -> Roff {
    let usage = command.clone().render_usage().to_string();
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text([roman(usage.trim_start_matches("Usage: "))]);
    roff
}

/// A section of terms, each with what it means.
pub(super) fn definitions<'a>(roff: &mut Roff, title: &str, terms: impl IntoIterator<Item = &'a (&'a str, &'a str)>) {
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
}

/// The help has each example on a line of its own, with what it does below it, further in.
fn examples(roff: &mut Roff, command: &Command) {
    let Some(help) = command.get_after_long_help().map(ToString::to_string) else { return };
    roff.control("SH", ["EXAMPLES"]);
    for line in help.lines().skip(1) {
        match line.strip_prefix("          ") {
            Some(meaning) => roff.text([roman(meaning)]),
            None => roff.control("TP", []).text([bold(line.trim())]),
        };
    }
}

fn see_also(roff: &mut Roff, command: &Command, program: bool) {
    roff.control("SH", ["SEE ALSO"]);
    let pages = match program {
        true => vec!["portkeeper.config(5)".to_owned()],
        false => vec!["portkeeper(1)".to_owned(), "portkeeper.config(5)".to_owned()],
    };
    let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
    let pages = commands.map(|command| format!("{}(1)", name(command))).chain(pages);
    let mut text: Vec<Inline> = Vec::new();
    for page in pages {
        if !text.is_empty() {
            text.push(roman(", "));
        }
        text.push(bold(page));
    }
    roff.text(text);
}

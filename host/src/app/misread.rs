//! What is probably meant by words that make no sense.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::slips::slip;
use super::{CommandError, typed};
use crate::document::closest;
use crate::model::{HoldKind, Port};

/// What other tools call our commands.
const ELSEWHERE: [(&str, &str); 25] = [
    ("add", "reserve"),
    ("allocate", "reserve"),
    ("apply", "prepare"),
    ("check", "explain"),
    ("clean", "gc"),
    ("delete", "release"),
    ("end", "kill"),
    ("exec", "run"),
    ("find", "pick"),
    ("free", "release"),
    ("get", "port"),
    ("info", "explain"),
    ("install", "plugin add"),
    ("lookup", "explain"),
    ("ls", "list"),
    ("new", "reserve"),
    ("prune", "gc"),
    ("ps", "status"),
    ("remove", "release"),
    ("rm", "release"),
    ("start", "run"),
    ("stop", "kill"),
    ("sync", "prepare"),
    ("version", "--version"),
    ("write", "prepare"),
];

/// A better explanation than the parser's, where there is one. `parses` says whether words are a command line.
pub(crate) fn misread(
    words: &[OsString],
    error: &clap::Error,
    commands: &[String],
    parses: impl Fn(&[OsString]) -> bool,
) -> Option<CommandError> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => None,
        ErrorKind::InvalidSubcommand => unknown_command(error, commands),
        ErrorKind::UnknownArgument if asks_for_more(error) => Some(
            CommandError::usage("there is no such option: notes are printed anyway, and --quiet leaves them out")
                .hint("`portkeeper --version` prints the version, `portkeeper explain PORT` all about a port"),
        ),
        _ => slip(words, error, commands, &parses).or_else(|| forgotten_dashes(words, &parses)),
    }
}

fn unknown_command(error: &clap::Error, commands: &[String]) -> Option<CommandError> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let known = ELSEWHERE.iter().find(|(other, _)| word.eq_ignore_ascii_case(other)).map(|(_, ours)| *ours);
    if word.parse::<Port>().is_ok() {
        return Some(CommandError::usage(format_args!("`{word}` is a port, not a command")).hint(format_args!(
            "`portkeeper explain {word}` says who has it, `portkeeper port --port {word}` reserves it"
        )));
    }
    // The parser knows what is spelled alike, but does not say it after `help`.
    let alike = || closest(word, commands.iter().map(String::as_str));
    let meant = known.or_else(|| alike().filter(|_| error.get(ContextKind::SuggestedSubcommand).is_none()))?;
    Some(CommandError::usage(format_args!("there is no command `{word}`")).hint(format_args!("portkeeper {meant}")))
}

fn asks_for_more(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(word)) if word == "--verbose" || word == "-v")
}

/// A kind of hold after a blank, which is read as a name: `--hold soft`.
pub(crate) fn detached_hold_kind(words: &[OsString]) -> Option<CommandError> {
    let before_dashes = words.split(|word| word == "--").next().unwrap_or_default();
    let pair = before_dashes.windows(2).find(|pair| pair[0] == "--hold")?;
    let kind = pair[1].to_str().filter(|word| word.parse::<HoldKind>().is_ok())?;
    Some(
        CommandError::usage(format_args!(
            "`{kind}` after --hold is read as a name of the port, not as the kind of hold"
        ))
        .hint(format_args!("--hold={kind}")),
    )
}

/// The command of `run` without the two dashes before it.
fn forgotten_dashes(words: &[OsString], parses: impl Fn(&[OsString]) -> bool) -> Option<CommandError> {
    if words.iter().any(|word| word == "--") {
        return None;
    }
    let run = words.iter().position(|word| word == "run")?;
    let with_dashes = |at: usize| {
        let (before, after) = words.split_at(at);
        [before, &[OsString::from("--")], after].concat()
    };
    let may_begin = |&at: &usize| !words[at].as_encoded_bytes().starts_with(b"-") && parses(&with_dashes(at));
    let places: Vec<usize> = (run + 1..words.len()).filter(may_begin).collect();
    // What stands before the command may be a name of the port.
    let at = places.iter().find(|&&at| is_program(&words[at])).or(places.first())?;
    Some(
        CommandError::usage("the command of `run` stands after two dashes")
            .hint(format_args!("portkeeper {}", shell_line(&with_dashes(*at)[1..]))),
    )
}

/// The two dashes of `run` behind the first word of the command, where other tools want them: `run python3 -- -m http.server`.
pub(crate) fn misplaced_dashes(words: &[OsString], parses: impl Fn(&[OsString]) -> bool) -> Option<CommandError> {
    let dashes = words.iter().position(|word| word == "--")?;
    if !words.get(dashes + 1)?.as_encoded_bytes().starts_with(b"-") {
        return None;
    }
    forgotten_dashes(&[&words[..dashes], &words[dashes + 1..]].concat(), parses)
}

fn is_program(word: &OsStr) -> bool {
    let is_file = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.is_file());
    if Path::new(word).components().count() > 1 {
        return is_file(Path::new(word));
    }
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|directory| is_file(&directory.join(word))))
}

/// The words as a person would type them.
pub(super) fn shell_line(words: &[OsString]) -> String {
    words.iter().map(typed).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_needs_them() {
        let words = ["run", "--", "sh", "-c", "it's", "", "{PORT}"].map(OsString::from);
        assert_eq!(shell_line(&words), r"run -- sh -c 'it'\''s' '' {PORT}");
    }
}

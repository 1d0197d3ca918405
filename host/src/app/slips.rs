//! Words and options that other commands and other tools have, and the command line of ours that they lead to.

use std::ffi::{OsStr, OsString};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::CommandError;
use super::misread::shell_line;
use crate::model::Port;

/// What is meant by an option or a value that the command does not know, if a command line that is near works.
pub(super) fn slip(
    words: &[OsString],
    error: &clap::Error,
    commands: &[String],
    parses: impl Fn(&[OsString]) -> bool,
) -> Option<CommandError> {
    let at = words.iter().position(|word| commands.iter().any(|name| word == name.as_str()))?;
    let line = Line { words, command: at };
    let (message, lines) = match error.kind() {
        ErrorKind::UnknownArgument => line.without_argument(&context(error, ContextKind::InvalidArg)?)?,
        ErrorKind::ValueValidation => line.with_other_value(&context(error, ContextKind::InvalidValue)?)?,
        _ => return None,
    };
    let better = lines.into_iter().find(|line| parses(line))?;
    Some(CommandError::usage(message).hint(format_args!("portkeeper {}", shell_line(&better[1..]))))
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(word) => Some(word.clone()),
        _ => None,
    }
}

/// A command line that makes no sense.
struct Line<'a> {
    words: &'a [OsString],
    /// Where its command stands.
    command: usize,
}

impl Line<'_> {
    fn name(&self) -> &str {
        self.words[self.command].to_str().unwrap_or_default()
    }

    /// What is wrong with an argument that there is not, and the lines that may be meant.
    fn without_argument(&self, argument: &str) -> Option<(String, Vec<Vec<OsString>>)> {
        let command = self.name();
        if !argument.starts_with('-') {
            return self.with_stray_word(argument);
        }
        let at = self.position(argument)?;
        let message = format!("`{command}` has no option {argument}");
        let given = self.words[at].to_str()?;
        if command == "kill" && is_signal(given) {
            let message = "`kill` takes no signal: it sends TERM first, and KILL to what does not end".to_owned();
            let value = usize::from(matches!(given, "-s" | "--signal"));
            return Some((message, vec![self.replaced(at, 1 + value, &[])]));
        }
        if command == "kill" && given == "-f" {
            return Some((message, vec![self.replaced(at, 1, &["--force"])]));
        }
        let attached = given
            .strip_prefix(argument)
            .map(|rest| rest.strip_prefix('=').unwrap_or(rest))
            .filter(|rest| !rest.is_empty());
        let (value, length) = match attached {
            Some(value) => (value, 1),
            None => (self.words.get(at + 1)?.to_str()?, 2),
        };
        let lines = match argument {
            "-p" | "--port" => {
                let plain = self.replaced(at, length, &[value]);
                let explained = Line { words: &plain, ..*self }.as_command("explain");
                vec![self.replaced(at, length, &["--port", value]), plain, explained]
            }
            "-n" | "--name" if command != "scan" => vec![self.replaced(at, length, &[value])],
            _ => return None,
        };
        Some((message, lines))
    }

    /// A word for a command that takes none.
    fn with_stray_word(&self, word: &str) -> Option<(String, Vec<Vec<OsString>>)> {
        let command = self.name();
        let (what, other) = match word.parse::<Port>() {
            Ok(_) => ("port", "explain"),
            Err(_) if command == "list" => ("name", "port"),
            Err(_) => ("name", "explain"),
        };
        let message = format!("`{command}` takes no {what}; `{other}` does");
        matches!(command, "status" | "list" | "gc" | "doctor").then(|| (message, vec![self.as_command(other)]))
    }

    /// A value that makes no sense where it stands.
    fn with_other_value(&self, value: &str) -> Option<(String, Vec<Vec<OsString>>)> {
        let command = self.name();
        let at = self.position(value).filter(|&at| self.words[at] == value)?;
        if let (Some(count), "pick") = (value.strip_prefix('-').filter(|digits| digits.parse::<u16>().is_ok()), command)
        {
            return Some((format!("`{value}` is not a port"), vec![self.replaced(at, 1, &["-n", count])]));
        }
        value.parse::<Port>().ok()?;
        Some((format!("`{value}` looks like a port, not a name"), vec![self.replaced(at, 1, &["--port", value])]))
    }

    /// Where an argument stands. Of short options that are joined, as in `-KILL`, the parser names one.
    fn position(&self, argument: &str) -> Option<usize> {
        let begins = |word: &&OsString| word.to_str().is_some_and(|word| word.starts_with(argument));
        let behind = &self.words[self.command + 1..];
        let before_dashes = behind.iter().take_while(|word| *word != "--");
        before_dashes.into_iter().position(|word| begins(&word)).map(|at| self.command + 1 + at)
    }

    fn replaced(&self, at: usize, length: usize, with: &[&str]) -> Vec<OsString> {
        let mut words = self.words.to_vec();
        words.splice(at..(at + length).min(words.len()), with.iter().map(OsString::from));
        words
    }

    fn as_command(&self, command: &str) -> Vec<OsString> {
        let mut words = self.words.to_vec();
        words[self.command] = OsStr::new(command).to_owned();
        words
    }
}

/// `-9`, `-KILL`, `-SIGTERM`, `-s`, `--signal`, as kill(1) has them.
fn is_signal(word: &str) -> bool {
    let Some(rest) = word.strip_prefix('-') else { return false };
    let is_name = rest.len() > 2 && rest.bytes().all(|byte| byte.is_ascii_uppercase());
    rest.parse::<u8>().is_ok() || is_name || matches!(word, "-s" | "--signal") || word.starts_with("--signal=")
}

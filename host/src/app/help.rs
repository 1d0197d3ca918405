//! What a command says of itself beyond the line in the list of commands: in `--help`, and in its manual page.

use clap::Command;
use clap::builder::StyledStr;

/// What is longer than a line in the list of commands. It stands beside the command.
pub(crate) struct Help {
    /// Paragraphs below the first line.
    pub(crate) description: &'static str,
    /// Command lines, each with what it does.
    pub(crate) examples: &'static [(&'static str, &'static str)],
}

/// A command's arguments, with its help.
pub(crate) trait Documented {
    const HELP: Help;
}

impl Help {
    /// Adds this to a command whose first line is known.
    pub(crate) fn add_to(&self, command: Command) -> Command {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let examples = self.examples(&command);
        command.long_about(format!("{about}\n\n{}", self.description)).after_long_help(examples)
    }

    fn examples(&self, command: &Command) -> StyledStr {
        use std::fmt::Write as _;
        let (header, literal) = (command.get_styles().get_header(), command.get_styles().get_literal());
        let mut text = StyledStr::new();
        let _ = write!(text, "{header}Examples:{header:#}");
        for (line, what) in self.examples {
            let _ = write!(text, "\n  {literal}{line}{literal:#}\n          {what}");
        }
        text
    }
}

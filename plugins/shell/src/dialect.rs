//! The languages of shells: how each assigns a variable that its commands inherit.

use portkeeper_plugin_sdk::Failure;
use serde::Deserialize;

/// A shell's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dialect {
    /// POSIX sh, and so bash, zsh, dash and direnv's `.envrc`.
    Sh,
    /// <https://fishshell.com>
    Fish,
    /// Windows PowerShell 5.1 and PowerShell 7.
    PowerShell,
}

impl Dialect {
    /// The language of a file, by the end of its name; sh where that says nothing.
    pub(crate) fn of_file(path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        match path.rsplit_once('.') {
            Some((_, "fish")) => Self::Fish,
            Some((_, "ps1" | "psm1")) => Self::PowerShell,
            _ => Self::Sh,
        }
    }

    /// The line that sets the variable, also for commands that the shell starts. To PowerShell before 7.5 an empty value
    /// means that there is no such variable.
    ///
    /// # Errors
    /// `bad-map` for a value that no line of the language can give.
    pub(crate) fn line(self, key: &str, value: &str) -> Result<String, Failure> {
        if value.contains('\0') {
            return Err(Failure::bad_map(format!(
                "the value of `{key}` has a NUL character, which no variable can hold"
            )));
        }
        Ok(match self {
            Self::Sh => format!("export {key}={}", posix(value)),
            Self::Fish => format!("set -gx {key} {}", fish(value)),
            Self::PowerShell => format!("$env:{key} = {}", powershell(value)),
        })
    }

    /// Whether the line ends the script whatever comes before it: it is not indented, as what belongs to a condition or a function is.
    pub(crate) fn ends_script(self, line: &str) -> bool {
        let mut words = line.split([' ', '\t', ';', '\r']);
        let first = words.next().unwrap_or_default();
        match self {
            // `exec` with nothing but redirections goes on.
            Self::Sh | Self::Fish if first == "exec" => words
                .find(|word| !word.is_empty())
                .is_some_and(|word| word.starts_with(|c: char| c.is_ascii_alphabetic() || "/.\"'$-_".contains(c))),
            Self::Sh | Self::Fish => matches!(first, "return" | "exit"),
            Self::PowerShell => first.eq_ignore_ascii_case("return") || first.eq_ignore_ascii_case("exit"),
        }
    }

    /// Whether the line, which somebody else wrote, sets the variable in the usual way.
    pub(crate) fn assigns(self, line: &str, key: &str) -> bool {
        let line = line.trim_start();
        match self {
            Self::Sh => {
                let line = line.strip_prefix("export ").map_or(line, str::trim_start);
                line.strip_prefix(key).is_some_and(|rest| rest.starts_with('='))
            }
            Self::Fish => {
                let mut words = line.split_whitespace();
                words.next() == Some("set") && words.find(|word| !word.starts_with('-')) == Some(key)
            }
            Self::PowerShell => {
                let name = line.get(..5).filter(|start| start.eq_ignore_ascii_case("$env:")).map(|_| &line[5..]);
                // Names of variables have no case on Windows.
                let rest = name.and_then(|name| {
                    let start = name.get(..key.len())?;
                    start.eq_ignore_ascii_case(key).then(|| name[key.len()..].trim_start())
                });
                rest.is_some_and(|rest| rest.starts_with('=') && !rest.starts_with("=="))
            }
        }
    }
}

/// Words that need no quotes in any of the languages.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:+,".contains(c))
}

/// POSIX.1-2024, 2.2.2: in single quotes every character stands for itself, and no single quote can be among them.
fn posix(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

/// In fish's single quotes a backslash stands for itself, but before a quote or another backslash ("Quotes" in its manual).
fn fish(value: &str) -> String {
    if is_plain(value) { value.to_owned() } else { format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'")) }
}

/// In PowerShell's single quotes every character stands for itself, but a quote is written twice; and what its parser
/// takes for a single quote has several shapes (about_Quoting_Rules).
fn powershell(value: &str) -> String {
    let mut text = String::from("'");
    for c in value.chars() {
        text.push(c);
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            text.push(c);
        }
    }
    text.push('\'');
    text
}

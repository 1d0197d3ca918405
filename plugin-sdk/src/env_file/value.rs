//! Values as every reader understands them.
//!
//! What each form may hold was found by reading the four readers:
//! - Without quotes a shell expands `$`, backquotes, backslashes and `~`, and ends at a blank or `;`; the dotenv readers cut at ` #`.
//! - In single quotes a shell takes all literally; python-dotenv and Compose unescape `\\` and `\'`, so no backslash may stand before
//!   a backslash or at the end; and python-dotenv expands `${NAME}` even there.
//! - In double quotes `$`, backquotes and backslashes mean something to each, and not the same.

use crate::Failure;

/// The ways to write a value.
#[derive(Clone, Copy)]
enum Style {
    Plain,
    Single,
    Double,
}

/// The value as text for the right of the equals sign. `old` is what stands there now, whose style is kept where possible; `after` is
/// what follows it on the line.
pub(super) fn encode(key: &str, value: &str, old: Option<&str>, after: &str) -> Result<String, Failure> {
    let gap = &after[..after.len() - after.trim_start_matches([' ', '\t']).len()];
    let styles = match old.and_then(|old| old.chars().next()) {
        Some('"') => [Style::Double, Style::Single].as_slice(),
        Some('\'' | '`') => &[Style::Single, Style::Double],
        // Compose and Node take a tab behind a bare value for a part of it, and Compose the comment as well.
        _ if gap.contains('\t') => &[Style::Double, Style::Single],
        _ => &[Style::Plain, Style::Single, Style::Double],
    };
    let style = styles.iter().find(|style| style.can_hold(value));
    style.map(|style| style.write(value)).ok_or_else(|| {
        Failure::bad_map(format!("the value of `{key}` cannot be written so that every reader of the file reads the same"))
            .help("Leave out line breaks, control characters, `${`, a backslash at the end, and quotes of both kinds at once.")
    })
}

impl Style {
    fn can_hold(self, value: &str) -> bool {
        match self {
            Self::Plain => value.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:@%+,=".contains(c)),
            Self::Single => {
                printable(value)
                    && !["'", "${", "\\\\"].iter().any(|special| value.contains(special))
                    && !value.ends_with('\\')
            }
            Self::Double => printable(value) && !value.contains(['"', '$', '`', '\\']),
        }
    }

    fn write(self, value: &str) -> String {
        match self {
            Self::Plain => value.to_owned(),
            Self::Single => format!("'{value}'"),
            Self::Double => format!("\"{value}\""),
        }
    }
}

fn printable(value: &str) -> bool {
    value.chars().all(|c| c == '\t' || !c.is_control())
}

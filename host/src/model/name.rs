//! What a project, or a user, calls a port.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A name for a port: printable text without white space, of at most 200 bytes, that cannot be taken for a port or an address.
/// Case matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The longest name, in bytes. Enough for a host name, a path or a sentence.
const LONGEST: usize = 200;

/// Text that cannot be a name, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Digits alone.
    #[error(
        "`{0}` cannot be a name, because it looks like a port: a name needs a letter (a port is given with --port)"
    )]
    LooksLikeAPort(String),
    /// Digits after a colon.
    #[error("`{0}` cannot be a name, because it looks like an address (HOST:PORT)")]
    LooksLikeAnAddress(String),
    /// White space, control characters, or characters that turn the direction of text.
    #[error("{0:?} cannot be a name: white space and characters that cannot be seen are not allowed")]
    NotPrintable(String),
    /// Beyond 200 bytes.
    #[error("a name has {LONGEST} bytes at most, and this one has {0}")]
    TooLong(usize),
}

impl Name {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let digits = |text: &str| !text.is_empty() && text.chars().all(char::is_numeric);
        let owned = || text.to_owned();
        match text {
            "" => Err(NameError::Empty),
            _ if !text.chars().all(is_printable) => Err(NameError::NotPrintable(owned())),
            _ if digits(text) => Err(NameError::LooksLikeAPort(owned())),
            _ if text.rsplit_once(':').is_some_and(|(_, end)| digits(end)) => {
                Err(NameError::LooksLikeAnAddress(owned()))
            }
            _ if text.len() > LONGEST => Err(NameError::TooLong(text.len())),
            _ => Ok(Self(owned())),
        }
    }
}

/// Whether a person can see the character: neither white space, nor a control character, nor one that only changes how others are
/// shown (UAX #9, and the invisible ones of the block General Punctuation).
fn is_printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    !c.is_whitespace() && !c.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_any_printable_text_without_white_space() {
        for name in [
            "web",
            "Web",
            "example.com/apache",
            "#1",
            "a=b",
            "=",
            "a:b",
            "8080a",
            "v2:80x",
            "größe",
            "端口",
            "🚪",
            "-x",
        ] {
            assert_eq!(name.parse::<Name>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn what_can_be_taken_for_something_else_is_refused_with_the_reason() {
        let refusal = |text: &str| text.parse::<Name>().unwrap_err().to_string();
        assert!(refusal("8080").contains("looks like a port"));
        assert!(refusal("0").contains("looks like a port") && refusal("٣٠٠٠").contains("looks like a port"));
        assert!(refusal("localhost:8080").contains("looks like an address"));
        assert!(refusal(":1").contains("looks like an address"));
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        for wrong in ["", " ", "a b", "a\tb", "web\n", "a\u{7}", "a\u{a0}b", "a\u{202e}b", "a\u{200b}", "\u{feff}web"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong:?}");
        }
        assert_eq!("x".repeat(201).parse::<Name>(), Err(NameError::TooLong(201)));
        assert!("x".repeat(200).parse::<Name>().is_ok());
    }
}

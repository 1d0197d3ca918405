//! `{PORT}` in the arguments of a command.

use std::ffi::{OsStr, OsString};

use crate::document::closest;

/// Puts values in the place of their names in braces: `--port={PORT}`. Other braces stay as they are, and so does everything between
/// two braces and two braces (`{{PORT}}`), which other templates are made of.
pub(crate) fn fill_in(argument: &OsStr, values: &[(String, String)]) -> OsString {
    let bytes = argument.as_encoded_bytes();
    let mut filled = OsString::new();
    let mut rest = bytes;
    let mut plain = 0;
    let mut at = 0;
    while at < bytes.len() {
        let token = if bytes[at] == b'{' { token(&bytes[at..], values) } else { Token::None };
        match token {
            Token::Value(value, length) => {
                push(&mut filled, &rest[..at - plain]);
                filled.push(value);
                at += length;
                plain = at;
                rest = &bytes[at..];
            }
            Token::Verbatim(length) => at += length,
            Token::None => at += 1,
        }
    }
    push(&mut filled, rest);
    filled
}

/// Words in braces that are probably meant to be one of the names, with that name: `{port}` for PORT, `{PROT}`. They are passed on as
/// they are. `${port}` is the shell's.
pub(crate) fn misspelt<'a>(argument: &OsStr, values: &'a [(String, String)]) -> Vec<(String, &'a str)> {
    let text = argument.to_string_lossy();
    let inner = |(at, _): (usize, &str)| {
        let is_ours = !text[..at].ends_with(['$', '{']);
        let (word, rest) = text[at + 1..].split_once('}').filter(|_| is_ours)?;
        let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !plain || rest.starts_with('}') || values.iter().any(|(name, _)| name == word) {
            return None;
        }
        let names = || values.iter().map(|(name, _)| name.as_str());
        // Other templates have words in braces, too: in lower case only the very word is meant.
        let same = names().find(|name| name.eq_ignore_ascii_case(word));
        let loud = !word.bytes().any(|byte| byte.is_ascii_lowercase());
        let slip = || closest(word, names()).filter(|meant| loud && strsim::osa_distance(word, meant) == 1);
        let meant = same.or_else(slip)?;
        Some((word.to_owned(), meant))
    };
    text.match_indices('{').filter_map(inner).collect()
}

enum Token<'a> {
    /// A name that is known, and how long it is with its braces.
    Value(&'a str, usize),
    /// Nothing of ours, for so long.
    Verbatim(usize),
    None,
}

/// What an opening brace begins.
fn token<'a>(bytes: &[u8], values: &'a [(String, String)]) -> Token<'a> {
    if bytes.starts_with(b"{{") {
        let end = bytes.windows(2).position(|pair| pair == b"}}");
        return Token::Verbatim(end.map_or(2, |end| end + 2));
    }
    let known = |(name, _): &&(String, String)| {
        bytes[1..].strip_prefix(name.as_bytes()).is_some_and(|after| after.starts_with(b"}"))
    };
    values.iter().find(known).map_or(Token::None, |(name, value)| Token::Value(value, name.len() + 2))
}

/// Only ever cut before and after ASCII, so each part is as valid as the whole.
#[cfg(unix)]
fn push(to: &mut OsString, part: &[u8]) {
    use std::os::unix::ffi::OsStrExt;
    to.push(OsStr::from_bytes(part));
}

#[cfg(not(unix))]
fn push(to: &mut OsString, part: &[u8]) {
    to.push(String::from_utf8_lossy(part).as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(argument: &str) -> String {
        let values = [("PORT", "8000"), ("PORT1", "8001"), ("HOST", "127.0.0.1")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        fill_in(OsStr::new(argument), &values).into_string().unwrap()
    }

    #[test]
    fn names_in_braces_are_replaced_wherever_they_are() {
        assert_eq!(filled("{PORT}"), "8000");
        assert_eq!(filled("http://{HOST}:{PORT}/"), "http://127.0.0.1:8000/");
        assert_eq!(filled("{PORT}{PORT1}"), "80008001");
    }

    #[test]
    fn everything_else_stays() {
        for same in [
            "",
            "PORT",
            "{port}",
            "{PORT",
            "PORT}",
            "{ PORT }",
            "{OTHER}",
            "{{PORT}}",
            "{{.Ports}}",
            "{}",
            "${X}",
            "ä{ö",
        ] {
            assert_eq!(filled(same), same);
        }
        assert_eq!(filled("{{x}}{PORT}{{"), "{{x}}8000{{");
        assert_eq!(filled("${PORT}"), "$8000", "braces are braces");
    }

    #[test]
    fn a_word_that_is_nearly_a_name_is_noticed() {
        let values = [("PORT", "8000"), ("HOST", "127.0.0.1")];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let noticed = |argument: &str| {
            let all = misspelt(OsStr::new(argument), &values);
            all.iter().map(|(word, meant)| format!("{word} {meant}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(noticed("{port}"), "port PORT");
        assert_eq!(noticed("http://{Host}:{PROT}/"), "Host HOST, PROT PORT");
        assert_eq!(noticed("{PORT2}"), "PORT2 PORT");
        for other in
            ["{PORT}", "${port}", "{{port}}", "{sort}", "{print}", "{ port }", "{}", "{port", "{NAME}", "{port,host}"]
        {
            assert_eq!(noticed(other), "", "{other}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn arguments_need_not_be_text() {
        use std::os::unix::ffi::OsStrExt;
        let values = [("PORT".to_owned(), "1".to_owned())];
        assert_eq!(fill_in(OsStr::from_bytes(b"\xFF{PORT}\xFE"), &values).as_bytes(), b"\xFF1\xFE");
    }
}

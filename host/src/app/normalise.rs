//! The two options whose value may follow as a word of its own, made unambiguous before clap sees them.

use std::ffi::{OsStr, OsString};

/// Rewrites the two forms that take a value only if it looks like one: `--range A B`, and `--write-env KEY`.
///
/// Numbers are never names, and names of environment variables are upper case by custom, so nothing else can be meant.
pub(crate) fn normalise(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut normal = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            normal.push(argument);
            break;
        }
        if argument == "--write-env" && arguments.peek().is_some_and(|next| is_env_key(next)) {
            normal.extend(arguments.next().map(|key| join("--write-env=", &key, "")));
        } else if argument == "--range" && arguments.peek().is_some_and(|next| is_number(next)) {
            let first = arguments.next().unwrap_or_default();
            let last = arguments.next_if(|next| is_number(next)).unwrap_or_default();
            normal.push(argument);
            normal.push(if last.is_empty() { first } else { join(&first.to_string_lossy(), &last, "-") });
        } else {
            normal.push(argument);
        }
    }
    normal.extend(arguments);
    normal
}

fn join(first: &str, second: &OsStr, between: &str) -> OsString {
    let mut joined = OsString::from(first);
    joined.push(between);
    joined.push(second);
    joined
}

fn is_number(text: &OsStr) -> bool {
    text.to_str().is_some_and(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_env_key(text: &OsStr) -> bool {
    let word = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    text.to_str()
        .is_some_and(|text| text.bytes().all(word) && text.bytes().next().is_some_and(|first| !first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(line: &str) -> String {
        let words: Vec<_> = normalise(line.split(' ').map(OsString::from));
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_range_takes_a_second_word_only_if_it_is_a_number() {
        assert_eq!(normalised("reserve --range 8000 8100 web"), "reserve --range 8000-8100 web");
        assert_eq!(normalised("reserve --range 8000-8100 9"), "reserve --range 8000-8100 9");
        assert_eq!(normalised("reserve --range 8000 web"), "reserve --range 8000 web");
    }

    #[test]
    fn write_env_takes_a_word_only_if_it_is_a_key() {
        assert_eq!(normalised("reserve --write-env API_PORT"), "reserve --write-env=API_PORT");
        assert_eq!(normalised("reserve --write-env web"), "reserve --write-env web");
        assert_eq!(normalised("reserve --write-env --count 2"), "reserve --write-env --count 2");
    }

    #[test]
    fn nothing_after_two_dashes_is_touched() {
        assert_eq!(normalised("run -- x --range 1 2"), "run -- x --range 1 2");
    }
}

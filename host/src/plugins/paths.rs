//! Paths and names that come from outside, checked by their spelling alone. Where symbolic links lead is the `output` room's to
//! find out.

/// Whether the path stays below the directory that it is relative to, on every platform: parts of ordinary names with `/` between
/// them.
///
/// Refused are absolute paths, `.` and `..`, backslashes and colons (separators, drives and streams on Windows), and control
/// characters.
pub(super) fn stays_below(path: &str) -> bool {
    let forbidden = |c: char| c == '\\' || c == ':' || c.is_control();
    !path.contains(forbidden) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether a `type` can be the name of a plugin's file: letters, digits, `-` and `_` of ASCII, beginning with a letter or digit.
#[must_use]
pub fn is_type_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    name.len() <= 64
        && name.bytes().all(plain)
        && name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_relative_paths_stay_below() {
        for path in [".env", "a/b/config.json", "..env", "ä ö.js", "a.b/...", ".github/x"] {
            assert!(stays_below(path), "{path}");
        }
    }

    #[test]
    fn everything_that_could_lead_out_is_refused() {
        for path in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "../x",
            "a/../../x",
            "a/..",
            "./a",
            "a//b",
            "a/",
            "a\\..\\b",
            "\\\\server\\share",
            "C:x",
            "C:/x",
            "x:stream",
            "a\0b",
            "a\nb",
            "a\u{7f}",
        ] {
            assert!(!stays_below(path), "{path:?}");
        }
    }

    #[test]
    fn a_type_is_a_safe_file_name() {
        for name in ["env", "runtime_js", "docker-compose", "X1", "1"] {
            assert!(is_type_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a.b", "-x", "_x", "a b", "ä", "a\0", &"a".repeat(65)] {
            assert!(!is_type_name(name), "{name:?}");
        }
    }
}

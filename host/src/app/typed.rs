//! Words as they are typed into a shell.

use std::ffi::OsStr;

/// One word of a POSIX shell, whatever it is made of: what a message says to type may be pasted. Braces are left as they are where no
/// shell expands them.
pub(crate) fn typed(word: impl AsRef<OsStr>) -> String {
    let text = word.as_ref().to_string_lossy().into_owned();
    let braces = !text.contains(',') && !text.contains("..");
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c) || braces && "{}".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_quoted_only_where_a_shell_expands_them() {
        assert_eq!(typed("{PORT}"), "{PORT}");
        assert_eq!(typed("{a,b}"), "'{a,b}'");
        assert_eq!(typed("{1..3}"), "'{1..3}'");
    }

    #[test]
    fn a_name_is_one_word_and_no_command() {
        let word = |path: &str| typed(path);
        assert_eq!(word("/srv/my-shop_2"), "/srv/my-shop_2");
        assert_eq!(word("/srv/my shop"), "'/srv/my shop'");
        assert_eq!(word("/srv/$(id)"), "'/srv/$(id)'");
        assert_eq!(word("it's"), r"'it'\''s'");
    }
}

//! Paths as they are typed into a shell.

use std::path::Path;

/// The path as one word of a POSIX shell, whatever it is made of: what a message tells to type may be pasted.
pub(crate) fn typed(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_no_command() {
        let word = |path: &str| typed(Path::new(path));
        assert_eq!(word("/srv/my-shop_2"), "/srv/my-shop_2");
        assert_eq!(word("/srv/my shop"), "'/srv/my shop'");
        assert_eq!(word("/srv/$(id)"), "'/srv/$(id)'");
        assert_eq!(word("it's"), r"'it'\''s'");
    }
}

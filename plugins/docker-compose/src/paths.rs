//! Paths as Compose resolves them, without a file system: with `/` between the parts, relative to the config's directory.

/// The directory of a file, with a `/` at its end; empty for the config's own.
pub(crate) fn directory(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// The last part of a path.
pub(crate) fn name(path: &str) -> &str {
    &path[directory(path).len()..]
}

/// The path that `relative` means, seen from a directory that ends in `/` or is empty. `..` may lead out of the config's directory: the host
/// says whether that file may be seen.
pub(crate) fn join(directory: &str, relative: &str) -> String {
    if relative.starts_with('/') {
        return relative.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in directory.split('/').chain(relative.split('/')) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if directory.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// Whether the path is one of a local file, and no variable stands in it. Compose also loads `oci://...`, and repositories by git.
pub(crate) fn is_local(path: &str) -> bool {
    let remote = ["oci://", "https://", "http://", "ssh://", "git://", "git@", "github.com/"];
    !path.is_empty() && !path.contains('$') && !remote.iter().any(|prefix| path.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_joined_as_compose_does() {
        for (directory, relative, joined) in [
            ("", "a.yaml", "a.yaml"),
            ("", "./a/../b.yaml", "b.yaml"),
            ("deploy/", "../a.yaml", "a.yaml"),
            ("deploy/", "../../a.yaml", "../a.yaml"),
            ("a/b/", "c/d.yaml", "a/b/c/d.yaml"),
            ("a/", "/etc/x.yaml", "/etc/x.yaml"),
            ("/srv/", "x.yaml", "/srv/x.yaml"),
        ] {
            assert_eq!(join(directory, relative), joined, "{directory} {relative}");
        }
    }

    #[test]
    fn what_is_not_here_is_not_local() {
        for path in ["oci://x/y", "https://a/b.git", "${DIR}/a.yaml", ""] {
            assert!(!is_local(path), "{path}");
        }
        assert!(is_local("../a.yaml") && is_local("github/a.yaml"));
    }
}

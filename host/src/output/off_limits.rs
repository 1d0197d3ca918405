//! Files that no output may be: what they say decides what runs.

use std::path::Path;

use crate::model::Project;

/// Whether the path leads into (or is) a directory of version control, the one of the project or of another repository in it.
pub(super) fn is_version_control(path: &Path) -> bool {
    path.components()
        .any(|component| matches!(folded(component.as_os_str()).as_str(), ".git" | "git~1" | ".hg" | ".jj" | ".svn"))
}

/// Whether the file is one that portkeeper itself goes by: a config, which chooses the files that are written; the lockfile; or anything in
/// `.portkeeper`, where a project's plugins are, or in a directory for temporary files, which ends with its command. `real` and `project` are without symbolic links.
#[must_use]
pub fn belongs_to_portkeeper(real: &Path, project: &Path) -> bool {
    // A project may itself lie in a directory of that name.
    let inside = real.strip_prefix(project).unwrap_or(real);
    let is_ours = |name: &str| matches!(name, ".portkeeper" | "portke~1") || name.starts_with(super::staging::PREFIX);
    let Some(name) = inside.file_name().map(folded) else { return false };
    inside.components().any(|component| is_ours(&folded(component.as_os_str())))
        || Project::CONFIGS.contains(&name.as_str())
        || matches!(
            name.as_str(),
            "portkeeper.lock" | "portke~1.loc" | "pkconf~1.jso" | "pkconf~1.yam" | "pkconf~1.yml"
        )
}

/// The name that all names have in common that some file system takes for the same: in another case, with trailing dots and blanks, with a
/// stream, and with the characters that HFS+ ignores.
fn folded(name: &std::ffi::OsStr) -> String {
    let name = name.to_string_lossy();
    let name = name.split(':').next().unwrap_or_default();
    let ignored =
        |c: char| matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}');
    // By way of upper case, which folds more: the long s, the Kelvin sign, ligatures.
    let name = name.replace(ignored, "").to_uppercase().to_lowercase();
    name.trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(path: &str) -> bool {
        belongs_to_portkeeper(&Path::new("/p").join(path), Path::new("/p"))
    }

    #[test]
    fn what_portkeeper_goes_by_is_known_by_all_of_its_names() {
        for path in [
            "pk.config.json",
            "pk.config.yaml",
            "sub/pk.config.yml",
            "PK.Config.JSON",
            "pk.config.json. ",
            "pk.con\u{200c}fig.json",
            "pk.con\u{fb01}g.json",
            "p\u{212a}.config.json",
            "pk.config.json::$DATA",
            "portkeeper.lock",
            "PORTKEEPER.LOCK",
            ".portkeeper/plugins/x.wasm",
            "sub/.Portkeeper/x",
            ".portkeeper",
            ".portkeeper-tmp",
            ".portkeeper-tmp.0/x",
            "sub/.Portkeeper-TMP.1000/.env",
        ] {
            assert!(is_ours(path), "{path}");
        }
        for path in [
            "config.json",
            "pk.config.json.bak",
            "pk.config.toml",
            "portkeeper.lock.txt",
            "portkeeper/x",
            "a.portkeeper",
        ] {
            assert!(!is_ours(path), "{path}");
        }
    }

    #[test]
    fn a_project_may_lie_where_it_likes() {
        let target = Path::new("/home/me/.portkeeper/shop/.env");
        assert!(!belongs_to_portkeeper(target, Path::new("/home/me/.portkeeper/shop")));
        assert!(
            belongs_to_portkeeper(target, Path::new("/home/me/other")),
            "a trusted file elsewhere is looked at as a whole"
        );
    }

    #[test]
    fn version_control_is_known_by_all_of_its_names() {
        for path in [
            ".git/config",
            "sub/.GIT/x",
            ".git",
            "git~1/x",
            ".g\u{200c}it/x",
            ".git./x",
            ".\u{17f}vn/x",
            ".hg/hgrc",
            ".jj/x",
        ] {
            assert!(is_version_control(Path::new(path)), "{path}");
        }
        for path in [".gitignore", "git/x", ".github/x", ".env"] {
            assert!(!is_version_control(Path::new(path)), "{path}");
        }
    }
}

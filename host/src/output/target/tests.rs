//! Real directories and links.

use std::fs::{create_dir, create_dir_all, write};
use std::os::unix::fs::symlink;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A directory with a home in it and, in that, a project.
fn home() -> (TempDir, PathBuf, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let project = home.join("project");
    create_dir(&project).unwrap();
    write(home.join(".bashrc"), "").unwrap();
    (directory, home, project)
}

fn resolve(project: &Path, path: &str) -> Result<PathBuf, TargetError> {
    resolve_trusting(project, path, &|_| false)
}

fn resolve_trusting(project: &Path, path: &str, is_trusted: &dyn Fn(&Path) -> bool) -> Result<PathBuf, TargetError> {
    Root::new(project).unwrap().target(path, is_trusted).map(|target| target.real)
}

#[test]
fn a_path_inside_is_resolved_whether_or_not_it_exists() {
    let (_keep, _, project) = home();
    for (path, real) in [
        (".env", ".env"),
        ("./a//b/../c.json", "a/c.json"),
        ("new/directory/x", "new/directory/x"),
        ("...", "..."),
        (".gitignore", ".gitignore"),
        ("a.git/x", "a.git/x"),
        ("é/ü", "é/ü"),
    ] {
        assert_eq!(resolve(&project, path).unwrap(), project.join(real), "{path}");
    }
    let absolute = project.join("x").to_str().unwrap().to_owned();
    assert_eq!(resolve(&project, &absolute).unwrap(), project.join("x"));
}

#[test]
fn links_inside_the_project_are_followed_to_what_they_mean() {
    let (_keep, home, project) = home();
    create_dir_all(project.join("conf/real")).unwrap();
    symlink("conf/real", project.join("short")).unwrap();
    symlink("../nothing-yet", project.join("conf/real/later")).unwrap();
    symlink(home.join("project"), home.join("other-name")).unwrap();
    assert_eq!(resolve(&project, "short/.env").unwrap(), project.join("conf/real/.env"));
    assert_eq!(resolve(&project, "short/later").unwrap(), project.join("conf/nothing-yet"));
    assert_eq!(resolve(&project, "short/../x").unwrap(), project.join("conf/x"), "as the kernel does");
    assert_eq!(resolve(&home.join("other-name"), ".env").unwrap(), project.join(".env"));
}

#[test]
fn nothing_leads_out_of_the_project() {
    let (_keep, home, project) = home();
    symlink("../.bashrc", project.join(".env")).unwrap();
    symlink(home.join("not-yet"), project.join("dangling")).unwrap();
    symlink("..", project.join("up")).unwrap();
    symlink("up", project.join("up2")).unwrap();
    let absolute = home.join(".bashrc").to_str().unwrap().to_owned();
    let paths = [
        ".env",
        "dangling",
        "up/.bashrc",
        "up2/x",
        "../x",
        "a/../../x",
        "../project-2/x",
        "/etc/hosts",
        "up/new/x",
        &absolute,
        "/dev/null",
        "../../../../../../../../../../../../etc/passwd",
    ];
    for path in paths {
        let error = resolve(&project, path).unwrap_err();
        assert!(matches!(error, TargetError::Outside { .. }), "{path}: {error}");
    }
    assert!(resolve(&project, ".env").unwrap_err().to_string().contains("portkeeper trust /"));
    assert_eq!(resolve(&project, "up/project/x").unwrap(), project.join("x"), "out and in again");
    let real = home.join(".bashrc");
    assert_eq!(resolve_trusting(&project, ".env", &|path| path == real).unwrap(), real, "the user may");
}

#[test]
fn the_version_control_is_left_alone() {
    let (_keep, _, project) = home();
    create_dir_all(project.join(".git/hooks")).unwrap();
    symlink(".git/hooks", project.join("h")).unwrap();
    for path in [
        ".git/config",
        ".GIT/config",
        ".git",
        "sub/.git/hooks/post-checkout",
        "h/pre-commit",
        "a/../.Git/x",
        "GIT~1/x",
        ".git./x",
        ".git /x",
        ".git::$INDEX_ALLOCATION/x",
        ".g\u{200c}it/config",
        ".hg/hgrc",
        ".jj/x",
    ] {
        let error = resolve(&project, path).unwrap_err();
        assert!(matches!(error, TargetError::VersionControl { .. }), "{path}: {error}");
    }
    assert!(resolve_trusting(&project, ".git/x", &|_| true).is_ok(), "the user may");
}

#[test]
fn only_a_file_can_be_a_target() {
    let (_keep, _, project) = home();
    create_dir(project.join("directory")).unwrap();
    write(project.join("file"), "").unwrap();
    symlink("loop", project.join("loop")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(project.join("socket")).unwrap();
    let error = |path: &str| resolve(&project, path).unwrap_err().to_string();
    assert_eq!(error("directory"), "`directory` is a directory, not a file");
    assert_eq!(error("socket"), "`socket` is a socket, not a file");
    assert!(error("file/x").contains("is not a directory"));
    assert!(error("loop").contains("more than 40 symbolic links"));
    for (path, why) in [
        ("", "empty"),
        (" ", "empty"),
        ("a/", "directory"),
        (".", "directory"),
        ("a/..", "directory"),
        ("~/x", "`~`"),
        ("a\0", "control character"),
    ] {
        assert!(error(path).contains(why), "{path}: {}", error(path));
    }
    assert!(resolve_trusting(&project, "/dev/full", &|_| true).unwrap_err().to_string().contains("a device"));
    drop(socket);
    assert!(matches!(resolve(&project, &"x".repeat(300)), Err(TargetError::Io(_))));
}

#[test]
fn the_names_of_devices_are_known() {
    for name in ["nul", "CON", "aux.env", "Com1", "LPT9.txt", "nul "] {
        assert!(is_device(name), "{name}");
    }
    for name in ["com", "com10", "console", ".env", "nul2"] {
        assert!(!is_device(name), "{name}");
    }
}

proptest! {
    #[test]
    fn whatever_the_path_it_ends_inside(path in "(\\.\\./|\\./|/|a/|up/|down/|\\.git/|file|x|\\.\\.){1,8}") {
        let (_keep, _, project) = home();
        symlink("..", project.join("up")).unwrap();
        create_dir_all(project.join("a/b")).unwrap();
        symlink("a/b", project.join("down")).unwrap();
        write(project.join("file"), "").unwrap();
        if let Ok(real) = resolve(&project, &path) {
            prop_assert!(real.starts_with(&project) && real != project, "{}", real.display());
            prop_assert!(!real.components().any(|part| matches!(part, Component::ParentDir)));
            if let Ok(canonical) = real.canonicalize() {
                prop_assert_eq!(canonical, real);
            }
        }
    }
}

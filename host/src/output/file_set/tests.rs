//! Real files in a temporary directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::super::{Fault, Root};
use super::*;

const PLAIN: Handling = Handling { backup: false, sensitive: false };
const BACKUP: Handling = Handling { backup: true, sensitive: false };

struct Project {
    _directory: TempDir,
    path: PathBuf,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Self { _directory: directory, path }
    }

    fn target(&self, name: &str) -> Target {
        Root::new(&self.path).unwrap().target(name, &|_| false).unwrap()
    }

    fn plan(&self, files: &[(&str, &str, Handling)]) -> FileSet {
        let mut set = FileSet::default();
        for (name, text, handling) in files {
            set.put(&self.target(name), (*text).to_owned(), *handling).unwrap();
        }
        set
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).unwrap()
    }

    /// Everything in the directory: names, and what is behind them.
    fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        let mut snapshot = BTreeMap::new();
        look(&self.path, &mut snapshot);
        snapshot
    }
}

fn look(directory: &Path, snapshot: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let bytes = if metadata.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let modified = metadata.is_file().then(|| metadata.modified().unwrap());
        snapshot.insert(
            path.clone(),
            format!("{:?} {} {modified:?} {bytes:?}", metadata.permissions(), identity(&metadata)),
        );
        if metadata.is_dir() {
            look(&path, snapshot);
        }
    }
}

#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    let links = if metadata.is_file() { metadata.nlink() } else { 0 };
    format!("{} {} {} {links}", metadata.ino(), metadata.uid(), metadata.gid())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> String {
    String::new()
}

#[test]
fn files_are_written_with_the_directories_they_need() {
    let project = Project::new(&[("old", "before")]);
    let files = project.plan(&[("old", "after", PLAIN), ("deep/er/new", "text", PLAIN), ("empty", "", PLAIN)]);
    let changed: Vec<_> = files.changed().map(Target::shown).collect();
    assert_eq!(changed, ["old", "deep/er/new", "empty"]);
    drop(files.write().unwrap());
    assert_eq!(
        (project.read("old"), project.read("deep/er/new"), project.read("empty")),
        ("after".into(), "text".into(), String::new())
    );
    assert_eq!(project.snapshot().len(), 5, "and nothing else is left: {:?}", project.snapshot());
}

#[test]
fn what_does_not_change_is_not_touched() {
    let project = Project::new(&[("same", "x"), ("read", "y")]);
    let before = project.snapshot();
    let mut files = project.plan(&[("same", "x", BACKUP)]);
    assert_eq!(files.text(&project.target("read")).unwrap(), Some("y"));
    assert_eq!(files.text(&project.target("missing")).unwrap(), None);
    assert_eq!((files.changed().count(), files.diff()), (0, String::new()));
    drop(files.write().unwrap());
    assert_eq!(project.snapshot(), before);
}

#[test]
fn outputs_that_share_a_file_see_each_other_and_it_is_written_once() {
    let project = Project::new(&[(".env", "A=1\n")]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(".env", project.path.join("link")).unwrap();
    let second = if cfg!(unix) { "link" } else { ".env" };
    let mut files = FileSet::default();
    let (one, two) = (project.target(".env"), project.target(second));
    assert!(files.put(&one, "A=1\nB=2\n".to_owned(), PLAIN).unwrap());
    assert_eq!(files.text(&two).unwrap(), Some("A=1\nB=2\n"));
    assert!(files.put(&two, "A=1\nB=2\nC=3\n".to_owned(), BACKUP).unwrap());
    assert!(!files.put(&one, "A=1\nB=2\nC=3\n".to_owned(), PLAIN).unwrap(), "no change to what the second left");
    assert_eq!(files.changed().count(), 1);
    let written = files.write().unwrap();
    assert_eq!(written.backups().collect::<Vec<_>>(), [project.path.join(".env.bak")]);
    drop(written);
    assert_eq!((project.read(".env"), project.read(".env.bak")), ("A=1\nB=2\nC=3\n".into(), "A=1\n".into()));
}

#[test]
fn what_is_not_text_or_too_large_is_left_alone() {
    let project = Project::new(&[]);
    fs::write(project.path.join("latin1"), b"N=M\xfcller\n").unwrap();
    let large = fs::File::create(project.path.join("large")).unwrap();
    large.set_len(read::LARGEST + 1).unwrap();
    let mut files = FileSet::default();
    let error = files.text(&project.target("latin1")).unwrap_err();
    assert!(matches!(error, FileError::NotText(_)) && error.to_string().contains("not UTF-8 text"));
    assert!(matches!(files.text(&project.target("large")), Err(FileError::TooLarge(_))));
    let giant = "x".repeat(usize::try_from(read::LARGEST).unwrap() + 1);
    assert!(matches!(files.put(&project.target("new"), giant, PLAIN), Err(FileError::TooLarge(_))));
    drop(files.write().unwrap());
    assert_eq!(fs::read(project.path.join("latin1")).unwrap(), b"N=M\xfcller\n");
}

#[test]
fn the_diff_shows_what_would_change_and_no_secrets() {
    let project = Project::new(&[(".env", "A=1\nB=2\n"), ("secret", "TOKEN=old\n")]);
    let secret = Handling { backup: false, sensitive: true };
    let files = project.plan(&[
        (".env", "A=1\nB=3", PLAIN),
        ("new", "x\n", PLAIN),
        ("secret", "TOKEN=new\nX=1\n", secret),
        ("e", "", PLAIN),
    ]);
    assert_eq!(
        files.diff(),
        "--- a/.env\n+++ b/.env\n@@ -1,2 +1,2 @@\n A=1\n-B=2\n+B=3\n\\ No newline at end of file\n\
         --- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n\
         --- a/secret\n+++ b/secret\n# sensitive: 2 lines added, 1 removed, not shown\n\
         --- /dev/null\n+++ b/e\n"
    );
}

#[test]
fn undo_puts_everything_back_exactly() {
    let project = Project::new(&[("a", "1"), ("b", "2")]);
    let before = project.snapshot();
    let written = project.plan(&[("a", "x", BACKUP), ("b", "y", PLAIN), ("n/e/w", "z", PLAIN)]).write().unwrap();
    assert_ne!(project.snapshot(), before);
    written.undo().unwrap();
    assert_eq!(project.snapshot(), before, "inode and time included");
}

#[test]
fn undo_leaves_alone_what_someone_else_wrote_since() {
    let project = Project::new(&[("a", "1"), ("b", "2")]);
    let written = project.plan(&[("a", "x", PLAIN), ("b", "y", PLAIN), ("new/c", "z", PLAIN)]).write().unwrap();
    fs::write(project.path.join("a"), "theirs").unwrap();
    fs::write(project.path.join("new/theirs"), "theirs").unwrap();
    let error = written.undo().unwrap_err();
    assert_eq!(error.0.len(), 1, "{error}");
    assert_eq!(error.0[0].path, project.path.join("a"));
    assert_eq!(
        (project.read("a"), project.read("b"), project.read("new/theirs")),
        ("theirs".into(), "2".into(), "theirs".into())
    );
}

#[test]
fn a_file_that_changed_since_it_was_read_is_not_written_and_neither_are_the_others() {
    let project = Project::new(&[("a", "1"), ("b", "2")]);
    let files = project.plan(&[("a", "x", BACKUP), ("n/w", "z", PLAIN), ("b", "y", PLAIN)]);
    fs::write(project.path.join("b"), "theirs").unwrap();
    let before = project.snapshot();
    let error = files.write().unwrap_err();
    assert!(matches!(&error.fault, Fault::Changed(path) if *path == project.path.join("b")), "{error}");
    assert!(error.undo.is_none() && error.to_string().ends_with("; nothing was changed"), "{error}");
    assert_eq!(project.snapshot(), before);

    let files = project.plan(&[("a", "x", PLAIN), ("c", "y", PLAIN)]);
    fs::write(project.path.join("c"), "theirs").unwrap();
    let before = project.snapshot();
    assert!(matches!(files.write().unwrap_err().fault, Fault::Changed(_)), "a file that appeared has changed, too");
    assert_eq!(project.snapshot(), before);
}

#[test]
fn a_failure_in_the_middle_leaves_everything_as_it_was() {
    let project = Project::new(&[("a", "1")]);
    // When `blocked` turns out to be a file, `made` is there already.
    let files = project.plan(&[("a", "x", BACKUP), ("made/new", "z", PLAIN), ("blocked/b", "y", PLAIN)]);
    fs::write(project.path.join("blocked"), "a file where a directory was to be").unwrap();
    let before = project.snapshot();
    let error = files.write().unwrap_err();
    assert!(
        matches!(error.fault, Fault::Directory { .. }) && error.to_string().ends_with("; nothing was changed"),
        "{error}"
    );
    assert_eq!(project.snapshot(), before);
}

/// The first file is in place already when the second turns out to be a directory.
#[test]
fn a_failure_after_a_rename_takes_the_earlier_ones_back() {
    let project = Project::new(&[("a", "1")]);
    let files = project.plan(&[("a", "x", BACKUP), ("b", "y", PLAIN)]);
    fs::create_dir(project.path.join("b")).unwrap();
    let before = project.snapshot();
    let error = files.write().unwrap_err();
    assert!(error.to_string().contains("/b: ") && error.undo.is_none(), "{error}");
    assert_eq!(project.snapshot(), before);
}

#[test]
fn a_backup_is_what_was_there_before_the_first_change() {
    let project = Project::new(&[("f", "the owner's")]);
    drop(project.plan(&[("f", "first", BACKUP)]).write().unwrap());
    let second = project.plan(&[("f", "second", BACKUP)]).write().unwrap();
    assert_eq!(second.backups().count(), 0);
    drop(second);
    assert_eq!((project.read("f"), project.read("f.bak")), ("second".into(), "the owner's".into()));
    drop(project.plan(&[("new", "x", BACKUP)]).write().unwrap());
    assert!(!project.path.join("new.bak").exists(), "there was nothing to keep");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;
    use crate::skip::skipped;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn mode_owner_and_links_stay() {
        let project = Project::new(&[("real", "1"), ("group", "1")]);
        let file = |name: &str| project.path.join(name);
        symlink("real", file("link")).unwrap();
        fs::set_permissions(file("real"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(file("group"), fs::Permissions::from_mode(0o666)).unwrap();
        let may_give_away = std::os::unix::fs::chown(file("real"), Some(4242), Some(4243)).is_ok();
        if !may_give_away {
            skipped("this user may not give files away, so owners were not compared");
        }
        drop(project.plan(&[("link", "2", BACKUP), ("group", "2", PLAIN)]).write().unwrap());
        assert!(fs::symlink_metadata(file("link")).unwrap().is_symlink());
        assert_eq!((mode(&file("real")), mode(&file("group")), mode(&file("real.bak"))), (0o640, 0o666, 0o640));
        assert_eq!(project.read("link"), "2");
        if may_give_away {
            for name in ["real", "real.bak"] {
                let metadata = fs::metadata(file(name)).unwrap();
                assert_eq!((metadata.uid(), metadata.gid()), (4242, 4243), "{name}");
            }
        }
    }

    #[test]
    fn a_file_whose_owner_or_mode_changes_before_it_is_written_is_left_alone() {
        let project = Project::new(&[("f", "1")]);
        let path = project.path.join("f");
        let refused = |files: FileSet| {
            let error = files.write().unwrap_err().to_string();
            assert!(error.contains("changed by someone else"), "{error}");
            assert_eq!(project.read("f"), "1");
        };
        let planned = project.plan(&[("f", "2", PLAIN)]);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        refused(planned);
        let planned = project.plan(&[("f", "2", PLAIN)]);
        if std::os::unix::fs::chown(&path, Some(4242), Some(4243)).is_err() {
            skipped("this user may not give a file away");
            return;
        }
        refused(planned);
        assert_eq!(fs::metadata(&path).unwrap().uid(), 4242);
    }

    #[test]
    fn a_new_file_is_as_the_umask_has_it_and_a_sensitive_one_private() {
        let project = Project::new(&[]);
        let secret = Handling { backup: false, sensitive: true };
        drop(project.plan(&[("new", "x", PLAIN), ("secret", "x", secret)]).write().unwrap());
        fs::write(project.path.join("plain"), "x").unwrap();
        assert_eq!(mode(&project.path.join("new")), mode(&project.path.join("plain")) & 0o644);
        assert_eq!(mode(&project.path.join("secret")), 0o600);
    }

    #[test]
    fn a_hard_link_ends_and_comes_back_with_undo() {
        let project = Project::new(&[("a", "1")]);
        fs::hard_link(project.path.join("a"), project.path.join("copy")).unwrap();
        let before = project.snapshot();
        let written = project.plan(&[("a", "2", PLAIN)]).write().unwrap();
        assert_eq!(project.read("copy"), "1");
        written.undo().unwrap();
        assert_eq!(project.snapshot(), before);
    }

    #[test]
    fn a_backup_does_not_follow_a_link() {
        let project = Project::new(&[("f", "1")]);
        symlink("elsewhere", project.path.join("f.bak")).unwrap();
        drop(project.plan(&[("f", "2", BACKUP)]).write().unwrap());
        assert!(!project.path.join("elsewhere").exists());
    }

    #[test]
    fn a_directory_that_became_a_link_is_not_followed() {
        let project = Project::new(&[]);
        fs::create_dir(project.path.join("inside")).unwrap();
        let files = project.plan(&[("inside/f", "x", PLAIN)]);
        let outside = tempfile::tempdir().unwrap();
        fs::remove_dir(project.path.join("inside")).unwrap();
        symlink(outside.path(), project.path.join("inside")).unwrap();
        assert!(matches!(files.write().unwrap_err().fault, Fault::Moved(_)));
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_changes_nothing() {
        // A tiny file system of its own, in a mount namespace of its own; only root may make one.
        let script = r#"
            mount -t tmpfs -o size=64k none "$1" && printf old > "$1/a" && chmod 640 "$1/a" &&
            exec env PORTKEEPER_TEST_FULL_DISK="$1" "$2" --exact output::file_set::tests::unix::on_a_full_disk --ignored --nocapture
        "#;
        let directory = tempfile::tempdir().unwrap();
        let this = std::env::current_exe().unwrap();
        let run = std::process::Command::new("unshare")
            .args(["--mount", "sh", "-c", script, "sh"])
            .args([directory.path(), &this])
            .output();
        match run {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let text =
                    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
                let refused = ["unshare:", "mount:"].iter().any(|tool| text.contains(tool));
                assert!(refused, "{text}");
                skipped("this user may not mount a file system of its own, so no disk was full");
            }
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                skipped("there is no unshare, so no disk was full");
            }
        }
    }

    /// Run by `a_full_disk_changes_nothing` in a directory that holds 64 KiB.
    #[test]
    #[ignore = "run by another test"]
    fn on_a_full_disk() {
        let path = PathBuf::from(std::env::var_os("PORTKEEPER_TEST_FULL_DISK").unwrap());
        let target = |name: &str| Root::new(&path).unwrap().target(name, &|_| false).unwrap();
        let mut files = FileSet::default();
        files.put(&target("a"), "new".to_owned(), BACKUP).unwrap();
        files.put(&target("sub/b"), "x".repeat(100_000), PLAIN).unwrap();
        let error = files.write().unwrap_err().to_string();
        assert!(error.contains("/sub/b: no space left on device; nothing was changed"), "{error}");
        assert_eq!((fs::read_to_string(path.join("a")).unwrap(), mode(&path.join("a"))), ("old".to_owned(), 0o640));
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
}

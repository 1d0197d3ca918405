//! A project, and what lies outside of it and must never be touched.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Swap;
use crate::trace::Call;
use crate::{Outcome, Ports, Programs, Run, Sandbox, Snapshot};

/// What files outside of the project hold, and nothing else.
pub(super) const SECRET: &str = "of-outside";
/// What files hold that another user has put into the project.
pub(super) const FOREIGN: &str = "of-another-user";
/// What files of the project hold.
const OURS: &str = "of-the-project";
/// What a file of the project holds that only its owner may read.
const PRIVATE: &str = "of-the-owner";
/// The other user.
pub(super) const OTHER: u32 = 65534;

/// A project with what lies around it.
#[derive(Debug)]
pub struct Field {
    sandbox: Sandbox,
    ports: Ports,
    outside: Snapshot,
}

impl Field {
    /// A new one.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new(programs: Programs) -> Self {
        let sandbox = Sandbox::new(programs);
        let outside = sandbox.root().join("outside");
        fill(&outside, SECRET);
        fs::write(outside.join("pk.config.json"), config("0-0", "evil.env")).expect("a file");
        fs::set_permissions(outside.join("deep/config.json"), Permissions::from_mode(0o4755)).expect("a mode");
        let outside = Snapshot::of([outside]);
        let this = Self { sandbox, ports: Ports::take(10), outside };
        this.reset();
        // What is compiled is in the cache from here on.
        let _ = this.run("prepare").ok();
        this
    }

    /// The project's directory.
    #[must_use]
    pub fn project(&self) -> PathBuf {
        self.sandbox.work().join("project")
    }

    /// The directory with other people's files.
    #[must_use]
    pub fn outside(&self) -> PathBuf {
        self.sandbox.root().join("outside")
    }

    /// The text of a config that writes the file.
    pub(super) fn config(&self, path: &str) -> String {
        config(&self.ports.to_string(), path)
    }

    /// Makes the project anew, and forgets all reservations.
    ///
    /// # Panics
    /// When it cannot.
    pub fn reset(&self) {
        for entry in fs::read_dir(self.sandbox.state()).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_file() && path.file_name().is_some_and(|name| name != "plugin-cache.key") {
                fs::remove_file(path).expect("a file of the registry");
            }
        }
        let project = self.project();
        if project.exists() {
            fs::remove_dir_all(&project).expect("the project");
        }
        fill(&project.join("sub"), OURS);
        fs::write(project.join("pk.config.json"), self.config("sub/deep/.env")).expect("a file");
        symlink("sub/deep/linked.env", project.join("link.env")).expect("a link");
        let private = project.join("sub/deep/linked.env");
        fs::write(&private, format!("TEXT={OURS}\nSECRET={PRIVATE}\n")).expect("a file");
        fs::set_permissions(private, Permissions::from_mode(0o600)).expect("a mode");
    }

    /// The files with private text that another user can open right now.
    #[must_use]
    pub fn open_to_others(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        open_to_others(&self.project(), &mut found);
        found
    }

    /// A command in the project.
    #[must_use]
    pub fn run(&self, command: &str) -> Run<'_> {
        self.sandbox.portkeeper(command).within(self.project())
    }

    /// Whether the call takes a path below the project.
    #[must_use]
    pub fn is_met(&self, call: &Call) -> bool {
        let project = self.project();
        call.paths().iter().any(|path| path.starts_with(&project) && *path != project)
    }

    /// What a command has done that it must not do.
    #[must_use]
    pub fn escapes(&self, outcome: &Outcome, swap: Option<Swap>) -> Vec<String> {
        let mut escapes = Vec::new();
        if !matches!(outcome.code(), Some(0..=3)) || !outcome.has_no_internals() {
            escapes.push("it breaks".to_owned());
        }
        let changed = self.outside.changed();
        if !changed.is_empty() {
            escapes.push(format!("files outside were changed: {changed:?}"));
        }
        // A hard link is a file of the project like any other.
        let is_hidden = !swap.is_some_and(Swap::links_hard);
        if is_hidden && (outcome.stdout.contains(SECRET) || outcome.stderr.contains(SECRET)) {
            escapes.push("it prints what is outside".to_owned());
        }
        self.look_through(&self.project(), is_hidden, &mut escapes);
        escapes
    }

    fn look_through(&self, directory: &Path, is_hidden: bool, escapes: &mut Vec<String>) {
        for entry in fs::read_dir(directory).into_iter().flatten() {
            let entry = entry.expect("an entry");
            let (path, metadata) = (entry.path(), entry.metadata().expect("its metadata"));
            if metadata.is_dir() {
                self.look_through(&path, is_hidden, escapes);
            } else if metadata.is_file() {
                let text = fs::read_to_string(&path).unwrap_or_default();
                if let Some(why) = wrong(&text, &metadata, is_hidden) {
                    escapes.push(format!("{}: {why}: {text}", path.display()));
                }
                if path.ends_with("evil.env") {
                    escapes.push("a config of another user was used".to_owned());
                }
            }
        }
    }
}

fn open_to_others(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        // What is removed meanwhile cannot be opened.
        let Ok(metadata) = entry.metadata() else { continue };
        let is_open = |bits| metadata.mode() & bits != 0;
        if metadata.is_dir() && is_open(0o011) {
            open_to_others(&entry.path(), found);
        } else if metadata.is_file()
            && is_open(0o066)
            && fs::read_to_string(entry.path()).unwrap_or_default().contains(PRIVATE)
        {
            found.push(entry.path());
        }
    }
}

/// What is wrong with a file of the project.
fn wrong(text: &str, metadata: &Metadata, is_hidden: bool) -> Option<&'static str> {
    let is_others = metadata.uid() == OTHER;
    // Only the attacker links to files outside.
    if is_hidden && text.contains(SECRET) {
        return Some("it holds what is outside");
    }
    if metadata.nlink() == 1 && metadata.mode() & 0o7000 != 0 {
        return Some("it runs as its owner");
    }
    if text.contains(FOREIGN) && !is_others {
        return Some("another user's text became one's own");
    }
    (text.contains(OURS) && is_others).then_some("one's own text became another user's")
}

/// The files that both the project and the outside have.
fn fill(directory: &Path, text: &str) {
    fs::create_dir_all(directory.join("deep")).expect("a directory");
    fs::write(directory.join("deep/.env"), format!("TEXT={text}\n")).expect("a file");
    fs::write(directory.join("deep/linked.env"), format!("TEXT={text}\n")).expect("a file");
    fs::write(directory.join("deep/config.json"), format!("{{ \"text\": \"{text}\" }}\n")).expect("a file");
}

fn config(range: &str, path: &str) -> String {
    let map = json!({ "port": "${PORT}" });
    let outputs = json!([
        { "type": "env", "path": path },
        { "type": "env", "path": "link.env" },
        { "type": "json", "path": "sub/deep/config.json", "backup": true, "map": map },
        { "type": "json", "path": "sub/made/config.json", "map": map },
    ]);
    json!({ "ports": [{ "key": "PORT", "range": range }], "outputs": outputs }).to_string()
}

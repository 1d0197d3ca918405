//! What the commands find: reservations, a live hold, the remains of a dead one, and a project.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Case;
use super::case::Which;
use crate::{HolderProcess, Ports, Programs, Run, Sandbox};

/// The `.env` of the project before a command writes it.
pub(super) const ENV: &str = "SECRET=of-the-user\n";

pub(super) struct World {
    programs: Programs,
    pub(super) sandbox: Sandbox,
    range: String,
    _ports: Ports,
    pub(super) kept: u16,
    pub(super) timed: u16,
    pub(super) held: u16,
    /// Its holder was killed: any command may collect it.
    pub(super) dead: u16,
    pub(super) holder: HolderProcess,
    /// Each file and directory with its mode, as it was before the first command. The living holder's own are not among them.
    saved: BTreeMap<PathBuf, (Vec<u8>, u32)>,
}

impl World {
    pub(super) fn new(programs: Programs) -> Self {
        let (sandbox, ports) = (Sandbox::new(programs), Ports::take(20));
        // The last one is the dead holder's: no command chooses it.
        let range = format!("{}-{}", ports.first(), ports.last() - 1);
        let env = sandbox.write(".env", ENV);
        fs::set_permissions(env, Permissions::from_mode(0o600)).expect("a mode");
        sandbox.write("sub/config.json", "{ \"name\": \"shop\" }\n");
        let config = json!({
            "ports": [{ "key": "WEB_PORT", "range": range }],
            "outputs": [
                { "type": "env" },
                { "type": "json", "path": "sub/config.json", "backup": true, "map": { "port": "${WEB_PORT}" } },
                { "type": "json", "path": "new/config.json", "map": { "port": "${WEB_PORT}" } },
            ],
        });
        sandbox.write("pk.config.json", config.to_string());
        // Compiled plugins, and their key.
        let elsewhere = sandbox.root().join("elsewhere");
        fs::create_dir(&elsewhere).expect("a directory");
        fs::copy(sandbox.work().join("pk.config.json"), elsewhere.join("pk.config.json")).expect("a copy");
        let _ = sandbox.portkeeper("prepare").within(&elsewhere).ok();
        let _ = sandbox.portkeeper("release --all").within(&elsewhere).ok();
        let port = |words: &str| sandbox.portkeeper(format!("{words} --range {range}")).ok();
        let kept = port("port kept").port();
        let timed = port("port --ttl 1h").port();
        let dead = sandbox.portkeeper(format!("reserve --hold --ttl 1h --port {}", ports.last())).ok();
        let held = port("reserve --hold --ttl 1h");
        HolderProcess::of(&dead.json()).kill();
        let holder = HolderProcess::of(&held.json());
        let (dead, held, saved) = (dead.port(), held.port(), BTreeMap::new());
        let mut this = Self { programs, sandbox, range, _ports: ports, kept, timed, held, dead, holder, saved };
        this.saved = this.files();
        this
    }

    /// Makes it as it was when it was new.
    pub(super) fn reset(&mut self) {
        if !self.holder.runs() {
            *self = Self::new(self.programs);
            return;
        }
        // A directory's files come after it, and are removed before it.
        for path in self.files().into_keys().rev().filter(|path| !self.saved.contains_key(path)) {
            let removed = if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        for (path, (bytes, mode)) in &self.saved {
            if path.is_dir() {
                continue;
            }
            if fs::read(path).ok().as_ref() != Some(bytes) {
                fs::write(path, bytes).expect("a file that was there can be written");
            }
            fs::set_permissions(path, Permissions::from_mode(*mode)).expect("a mode");
        }
    }

    pub(super) fn run(&self, case: &Case) -> Run<'_> {
        let number = |which| self.port(which).to_string();
        let words = case.words.replace("RANGE", &self.range);
        let words = words.replace("TIMED", &number(Which::Timed)).replace("HELD", &number(Which::Held));
        self.sandbox.portkeeper(words)
    }

    pub(super) fn port(&self, which: Which) -> u16 {
        match which {
            Which::Kept => self.kept,
            Which::Timed => self.timed,
            Which::Held => self.held,
        }
    }

    /// What files of the state and the project have become another, are new, or are gone.
    pub(super) fn changed(&self) -> Vec<PathBuf> {
        let now = self.files();
        let all = self.saved.keys().chain(now.keys());
        let mut changed: Vec<_> = all.filter(|path| self.saved.get(*path) != now.get(*path)).cloned().collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The files of the project, and whether they are as before.
    pub(super) fn changed_in_project(&self) -> Vec<PathBuf> {
        let work = self.sandbox.work();
        self.changed().into_iter().filter(|path| path.starts_with(&work)).collect()
    }

    /// The state's and the project's files. What the living holder has open is the holder's.
    fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
        let mut files = BTreeMap::new();
        for directory in [self.sandbox.state(), self.sandbox.work()] {
            collect(&directory, &mut files);
        }
        let open = if self.holder.runs() { self.holder.open_files() } else { vec![] };
        files.retain(|path, _| !open.iter().any(|open| Path::new(open) == path));
        files
    }
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, u32)>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let entry = entry.expect("an entry");
        let (path, metadata) = (entry.path(), entry.metadata().expect("its metadata"));
        if metadata.is_dir() {
            collect(&path, files);
            files.insert(path, (vec![], metadata.permissions().mode()));
        } else if metadata.is_file() {
            let bytes = fs::read(&path).expect("a file");
            files.insert(path, (bytes, metadata.permissions().mode()));
        }
    }
}

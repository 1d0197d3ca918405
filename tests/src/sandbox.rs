//! A home of its own for each test.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Run, Snapshot, StandIn};

/// The programs that a test runs. Cargo passes their paths only to the tests themselves.
#[derive(Debug, Clone, Copy)]
pub struct Programs {
    /// `portkeeper-under-test`.
    pub portkeeper: &'static str,
    /// `stand-in`.
    pub stand_in: &'static str,
}

/// The text of a registry without its checksum, as it is left when the file is edited by hand.
///
/// # Panics
/// When it has none.
#[must_use]
pub fn without_checksum(text: &str) -> String {
    let end = text.rfind(",\n\"crc32\"").expect("a checksum");
    format!("{}}}\n", &text[..end])
}

/// A user of their own: home, state, data and temporary directory, and an environment with nothing else in it.
#[derive(Debug)]
pub struct Sandbox {
    root: TempDir,
    programs: Programs,
}

impl Sandbox {
    /// A new user on this machine.
    ///
    /// # Panics
    /// When the directories cannot be made.
    #[must_use]
    pub fn new(programs: Programs) -> Self {
        let root = tempfile::Builder::new().prefix("portkeeper-test-").tempdir().expect("a temporary directory");
        let this = Self { root, programs };
        for directory in ["home", "tmp", "work"] {
            fs::create_dir(this.root().join(directory)).expect("a directory");
        }
        this
    }

    /// Where all of it is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// The directory that commands run in.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root().join("work")
    }

    /// The user's state: the registry's directory.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.root().join("state/portkeeper")
    }

    /// The user's plugins.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.root().join("data/portkeeper/plugins")
    }

    /// The registry file.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.state().join("registry.json")
    }

    /// The hold files of the registry.
    #[must_use]
    pub fn holds(&self) -> PathBuf {
        self.state().join("registry.json.holds")
    }

    /// The lock beside the registry.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.state().join("registry.json.lock")
    }

    /// Any program in this sandbox.
    #[must_use]
    pub fn program(&self, program: impl Into<OsString>) -> Run<'_> {
        Run::new(program, self.environment(), &self.work())
    }

    /// The command line with arguments that are split at white space.
    #[must_use]
    pub fn portkeeper(&self, words: impl AsRef<str>) -> Run<'_> {
        self.program(self.programs.portkeeper).words(words.as_ref())
    }

    /// Where the command line is, for programs that start it.
    #[must_use]
    pub fn portkeeper_path(&self) -> &'static str {
        self.programs.portkeeper
    }

    /// A shell script that finds the command line as `portkeeper`. It stops at the first command that fails.
    ///
    /// # Panics
    /// When the command line cannot be put into the sandbox.
    #[must_use]
    pub fn shell(&self, script: &str) -> Run<'_> {
        let bin = self.root().join("bin");
        if !bin.exists() {
            fs::create_dir(&bin).expect("a directory");
            std::os::unix::fs::symlink(self.programs.portkeeper, bin.join("portkeeper")).expect("a link");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        self.program("sh").env("PATH", format!("{}:{path}", bin.display())).words("-eu -c").arg(script)
    }

    /// Another program that listens on the address.
    #[must_use]
    #[track_caller]
    pub fn listener(&self, address: &str, port: u16) -> StandIn {
        self.stand_in("listen", address, port)
    }

    /// Another program with a socket: `listen`, `bind` (without listening) or `udp`.
    #[must_use]
    #[track_caller]
    pub fn stand_in(&self, mode: &str, address: &str, port: u16) -> StandIn {
        StandIn::start(self.stand_in_run(&format!("{mode} {}", socket_address(address, port))).command())
    }

    /// Another program that merely lives.
    #[must_use]
    #[track_caller]
    pub fn process(&self) -> StandIn {
        StandIn::start(self.stand_in_run("live").command())
    }

    /// Where the stand-in is, for scripts.
    #[must_use]
    pub fn stand_in_path(&self) -> &'static str {
        self.programs.stand_in
    }

    /// The stand-in's command line.
    #[must_use]
    pub fn stand_in_run(&self, words: &str) -> Run<'_> {
        self.program(self.programs.stand_in).words(words)
    }

    /// Makes a directory, with its parents, relative to [`Self::work`].
    ///
    /// # Panics
    /// When it cannot.
    pub fn directory(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.work().join(path);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Writes a file, with its parent directories, relative to [`Self::work`].
    ///
    /// # Panics
    /// When it cannot.
    pub fn write(&self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Reads a text file, relative to [`Self::work`].
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.work().join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Whether there is such a file or directory, relative to [`Self::work`].
    #[must_use]
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.work().join(path).symlink_metadata().is_ok()
    }

    /// What `portkeeper status` answers.
    ///
    /// # Panics
    /// When that is no JSON array.
    #[must_use]
    #[track_caller]
    pub fn status(&self) -> Vec<Value> {
        let answer = self.portkeeper("status --json").ok().json();
        answer.as_array().unwrap_or_else(|| panic!("status is no array: {answer}")).clone()
    }

    /// The ports that `portkeeper status` lists, ascending.
    #[must_use]
    #[track_caller]
    pub fn reserved(&self) -> Vec<u16> {
        let port = |entry: &Value| entry["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port");
        let mut ports: Vec<u16> = self.status().iter().map(port).collect();
        ports.sort_unstable();
        ports
    }

    /// All files of the user: to show that nothing changed. The cache and the temporary directory do not matter.
    #[must_use]
    pub fn everything(&self) -> Snapshot {
        Snapshot::of(["home", "state", "data", "config", "work"].map(|directory| self.root().join(directory)))
    }

    /// The same without the registry, where other bytes may say the same.
    #[must_use]
    pub fn all_but_registry(&self) -> Snapshot {
        Snapshot::of(["home", "data", "config", "work"].map(|directory| self.root().join(directory)))
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let directories = [
            ("HOME", "home"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_CACHE_HOME", "cache"),
            ("TMPDIR", "tmp"),
        ];
        let directories =
            directories.map(|(key, directory)| (key.into(), self.root().join(directory).into_os_string()));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let others = [("PATH".into(), path), ("LC_ALL".into(), "C".into())];
        directories.into_iter().chain(others).collect()
    }
}

/// `127.0.0.1:80`, `[::1]:80`.
fn socket_address(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Nothing that a test started outlives it.
#[cfg(target_os = "linux")]
impl Drop for Sandbox {
    fn drop(&mut self) {
        let ended = crate::leftover::wait_for_all(self.root());
        if !std::thread::panicking() {
            ended.unwrap_or_else(|command| panic!("the test has ended, and this runs on in its sandbox: {command}"));
        }
    }
}

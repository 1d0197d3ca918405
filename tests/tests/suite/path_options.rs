//! Every path of the command line, and everything that a path may lead to: what must be a file refuses all else and leaves it as it is, and
//! what takes a stream writes into it or reads from it. Nothing waits for the other end of a pipe, and nothing but a file is ever replaced.

use std::fs::{self, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use portkeeper_tests::{Outcome, Ports, Sandbox, WatPlugin, program_or_skip, skipped};
use serde_json::json;

use crate::sandbox;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nothing,
    File,
    Directory,
    Pipe,
    Socket,
    Device,
    Stdout,
    Descriptor,
    LinkInside,
    LinkOutside,
    Dangling,
    NoRights,
}

const KINDS: [Kind; 12] = [
    Kind::Nothing,
    Kind::File,
    Kind::Directory,
    Kind::Pipe,
    Kind::Socket,
    Kind::Device,
    Kind::Stdout,
    Kind::Descriptor,
    Kind::LinkInside,
    Kind::LinkOutside,
    Kind::Dangling,
    Kind::NoRights,
];

/// What shall come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Taken,
    Refused,
}
use Answer::{Refused, Taken};

/// What the kinds are to an option of a class.
fn wanted(class: &str, option: &str, kind: Kind) -> Answer {
    let taken = match class {
        "input" => matches!(kind, Kind::File | Kind::LinkInside | Kind::LinkOutside),
        // A `.env` may be a link, as dotfiles are, but not out of its project. What it leads to need not be there.
        "output" => matches!(kind, Kind::Nothing | Kind::File | Kind::LinkInside | Kind::Dangling),
        "state" => matches!(kind, Kind::Nothing | Kind::File),
        "stream" if option == "--report" || option == "--output" => matches!(
            kind,
            Kind::Nothing
                | Kind::File
                | Kind::Device
                | Kind::Stdout
                | Kind::Descriptor
                | Kind::LinkInside
                | Kind::LinkOutside
                // The right that counts is that to the directory.
                | Kind::NoRights
                // A process listens.
                | Kind::Socket
        ),
        "stream" => matches!(
            kind,
            Kind::File
                | Kind::Device
                | Kind::Pipe
                | Kind::Stdout
                | Kind::Descriptor
                | Kind::LinkInside
                | Kind::LinkOutside
        ),
        "directory" => matches!(kind, Kind::Directory),
        other => panic!("{option}: no class {other}"),
    };
    if taken { Taken } else { Refused }
}

fn is_config(command: &str, option: &str) -> bool {
    option == "--config" || (command, option) == ("prepare", "FILE")
}

/// Whether the stream is read: then it is standard input.
fn is_import(option: &str) -> bool {
    option == "--port-for" || option == "--portkeeper"
}

/// The options that the list names, each with its class.
fn options() -> Vec<(String, String, &'static str)> {
    let lines = include_str!("path_options.txt").lines().filter(|line| !line.starts_with('#'));
    let parts = |line: &'static str| {
        let (option, class) = line.rsplit_once(' ').expect("a class");
        let (command, option) = option.rsplit_once(' ').expect("an option");
        (command.to_owned(), option.to_owned(), class)
    };
    lines.map(parts).collect()
}

/// A project with what the commands need beside the path that is tried.
struct World {
    sandbox: Sandbox,
    ports: Ports,
    plugin: Vec<u8>,
    _listener: Option<UnixListener>,
}

impl World {
    fn new() -> Self {
        let sandbox = sandbox();
        sandbox.directory("project");
        sandbox.directory("outside");
        let plugin = WatPlugin::new("made").component();
        fs::write(sandbox.root().join("made.wasm"), &plugin).unwrap();
        Self { sandbox, ports: Ports::take(1), plugin, _listener: None }
    }

    fn project(&self) -> PathBuf {
        self.sandbox.work().join("project")
    }

    /// A file as the option wants it.
    fn content(&self, command: &str, option: &str) -> Vec<u8> {
        let range = [self.ports.first(), self.ports.last()];
        match (command, option) {
            _ if is_config(command, option) => {
                json!({ "ports": [{ "key": "WEB_PORT", "range": range }] }).to_string().into_bytes()
            }
            (_, "--port-for") => format!("web = {}\n", range[0]).into_bytes(),
            (_, "--portkeeper") => b"{}".to_vec(),
            ("plugin inspect" | "plugin add" | "plugin test" | "trust", _) => self.plugin.clone(),
            (_, "--registry") => {
                let _ = self.sandbox.portkeeper(format!("port --ttl 1h --range {}-{}", range[0], range[1])).ok();
                fs::read(self.sandbox.registry()).unwrap()
            }
            _ => Vec::new(),
        }
    }

    /// Puts the kind at the path, and gives it back as it is named to the command.
    fn put(&mut self, kind: Kind, command: &str, option: &str, content: &[u8]) -> Option<PathBuf> {
        let name = if is_config(command, option) { "tried.json" } else { "tried.wasm" };
        let path = self.project().join(name);
        let outside = self.sandbox.work().join("outside/file");
        match kind {
            Kind::Nothing => {}
            Kind::File => fs::write(&path, content).unwrap(),
            Kind::Directory => fs::create_dir(&path).unwrap(),
            Kind::Pipe => {
                let _ = self.sandbox.program("mkfifo").arg(&path).ok();
            }
            Kind::Socket => self._listener = Some(UnixListener::bind(&path).unwrap()),
            Kind::Device => {
                // Another one than that of the machine, which must not come to harm.
                if self.sandbox.program("mknod").arg(&path).words("c 1 3").run().code() != Some(0) {
                    skipped("mknod", "no device can be made here");
                    return None;
                }
            }
            Kind::Stdout if is_import(option) => return Some("/dev/stdin".into()),
            Kind::Descriptor if is_import(option) => return Some("/dev/fd/0".into()),
            Kind::Stdout => return Some("/dev/stdout".into()),
            Kind::Descriptor => return Some("/dev/fd/1".into()),
            Kind::LinkInside => {
                fs::write(self.project().join("real"), content).unwrap();
                symlink("real", &path).unwrap();
            }
            Kind::LinkOutside => {
                fs::write(&outside, content).unwrap();
                symlink(&outside, &path).unwrap();
            }
            Kind::Dangling => symlink("nothing", &path).unwrap(),
            Kind::NoRights => {
                fs::write(&path, content).unwrap();
                fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
            }
        }
        Some(path)
    }

    fn run(&self, command: &str, option: &str, path: &Path, stdin: &[u8]) -> Outcome {
        let (first, last) = (self.ports.first(), self.ports.last());
        let before = match (command, option) {
            ("portkeeper", "--registry") => "status --registry".to_owned(),
            ("portkeeper", "--directory") => "status --directory".to_owned(),
            ("portkeeper", "--lock") => format!("reserve --range {first}-{last} --lock"),
            ("reserve" | "port", "--env-path") => {
                format!("{command} --range {first}-{last} --write-env WEB_PORT --env-path")
            }
            ("run", "--env-path") => format!("run --range {first}-{last} --write-env WEB_PORT --env-path"),
            ("reserve-network", "--env-path") => {
                format!("reserve-network --host 127.0.0.1 --range {first}-{last} --write-env WEB_PORT --env-path")
            }
            ("run", "--report") => format!("run --range {first}-{last} --report"),
            ("reserve" | "port" | "run", "--project") => format!("{command} web --range {first}-{last} --project"),
            ("release", "--project") => "release --if-exists web --project".to_owned(),
            ("plugin new", "--sdk") => "plugin new made --sdk".to_owned(),
            ("plugin new", _) => "plugin new made".to_owned(),
            ("plugin build", "--output") => format!("plugin build {} --output", self.crate_directory().display()),
            ("plugin test", "DIRECTORY") => format!("plugin test {}/made.wasm", self.sandbox.root().display()),
            _ if option.starts_with('-') => format!("{command} {option}"),
            _ => command.to_owned(),
        };
        let after = if command == "run" { "-- true" } else { "" };
        // A command that waits for the other end of a pipe would wait forever.
        let mut run = self.sandbox.program("timeout").words("60");
        if command == "plugin build" {
            // A component is no text.
            let script = r#"{ "$@"; echo $? > ../code; } | cat > ../answer; exit $(cat ../code)"#;
            run = run.words("sh -c").arg(script).words("sh");
        }
        let run = run.arg(self.sandbox.portkeeper_path()).words(&before).arg(path).words(after);
        run.within(self.project()).env("CARGO", self.cargo()).env("RUSTC", "true").stdin(stdin).without_powers().run()
    }

    fn crate_directory(&self) -> PathBuf {
        let manifest = self.sandbox.write("crate/Cargo.toml", "");
        manifest.parent().unwrap().to_owned()
    }

    /// A cargo that has built the plugin.
    fn cargo(&self) -> PathBuf {
        let built = self.sandbox.root().join("made.wasm");
        let message = json!({
            "reason": "compiler-artifact", "target": { "crate_types": ["cdylib"] }, "filenames": [built],
        });
        let cargo = self.sandbox.root().join("cargo");
        fs::write(&cargo, format!("#!/bin/sh\necho '{message}'\n")).unwrap();
        fs::set_permissions(&cargo, Permissions::from_mode(0o755)).unwrap();
        cargo
    }
}

/// What no command may change about what is no file, nor about what lies outside of the project.
fn identity(path: &Path) -> Option<(u32, u64, u64)> {
    let found = path.symlink_metadata().ok()?;
    let kind = found.file_type();
    let special = kind.is_dir() || kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_symlink();
    // In /dev/fd the numbers are made up as they are asked for.
    let number = if path.starts_with("/dev") { 0 } else { found.ino() };
    special.then(|| (found.mode(), number, found.rdev()))
}

/// Whether the command did what it was asked for.
fn answer(outcome: &Outcome, option: &str) -> Answer {
    // The report is no reason for the command to fail.
    let said = outcome.stderr.contains("the report cannot be written");
    if outcome.code() == Some(0) && !(option == "--report" && said) { Taken } else { Refused }
}

fn try_all(is_meant: impl Fn(&str, &str) -> bool) {
    if program_or_skip("timeout").is_none() || program_or_skip("mkfifo").is_none() {
        return;
    }
    let mut wrong = Vec::new();
    let tried = options().into_iter().filter(|(command, _, class)| is_meant(command, class)).collect::<Vec<_>>();
    assert!(!tried.is_empty());
    for (command, option, class) in tried {
        for kind in KINDS {
            let mut world = World::new();
            let content = world.content(&command, &option);
            let Some(path) = world.put(kind, &command, &option, &content) else { continue };
            let outside = world.sandbox.work().join("outside/file");
            let before = (identity(&path), fs::read(&outside).ok());
            let outcome = match kind {
                // A process writes into the pipe that is read.
                Kind::Pipe if is_import(&option) => std::thread::scope(|scope| {
                    scope.spawn(|| fs::write(&path, &content).unwrap());
                    world.run(&command, &option, &path, &content)
                }),
                _ => world.run(&command, &option, &path, &content),
            };
            let found = answer(&outcome, &option);
            let mut complain = |what: &str| wrong.push(format!("{command} {option}, {kind:?}: {what}\n{outcome}"));
            match exceptions(&command, &option, kind).unwrap_or_else(|| wanted(class, &option, kind)) {
                wanted if wanted != found => complain(&format!("not {wanted:?}")),
                _ => {}
            }
            if outcome.code() == Some(124) {
                complain("waits forever");
            }
            let after = (identity(&path), fs::read(&outside).ok());
            if before.0.is_some() && before.0 != after.0 {
                complain("replaced what is no file");
            }
            if before.1 != after.1 && class != "stream" {
                complain("changed a file outside of the project");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where a command has an answer of its own.
fn exceptions(command: &str, option: &str, kind: Kind) -> Option<Answer> {
    Some(match (command, option, kind) {
        // A directory that is not there is made, one that is there belongs to another user.
        ("plugin new" | "man", "DIRECTORY", Kind::Nothing) => Taken,
        ("plugin new", "DIRECTORY", Kind::Directory) => Refused,
        // An empty directory is no SDK, no crate, and has no fixtures.
        ("plugin new", "--sdk", _) | ("plugin build" | "plugin test", "DIRECTORY", _) => Refused,
        // No fixtures lie beside it.
        ("plugin test", "FILE", _) => Refused,
        // Nothing is no JSON.
        ("import", "--portkeeper", Kind::Device) => Refused,
        _ => return None,
    })
}

#[test]
fn what_must_be_a_file_that_is_read_refuses_all_else() {
    try_all(|_, class| class == "input");
}

#[test]
fn what_must_be_a_file_that_is_written_refuses_all_else() {
    try_all(|_, class| class == "output" || class == "state");
}

#[test]
fn what_takes_a_stream_takes_every_stream_and_replaces_nothing_but_files() {
    try_all(|_, class| class == "stream");
}

#[test]
fn what_must_be_a_directory_refuses_all_else() {
    try_all(|_, class| class == "directory");
}

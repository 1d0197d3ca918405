//! The Python tool: the last published line whose `reserve` works.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use portkeeper_tests::{Run, Sandbox};

/// What is installed from the package index.
const PACKAGE: &str = "portkeeper==0.1.12";

/// 0.1.12 has no `prepare`: this is what its users write instead, for the config of the `prepare` case.
const PREPARE: &str = r#"
import json, sys
from portkeeper import PortRegistry

port = int(sys.argv[1])
registry = PortRegistry()
service = registry.reserve(preferred=port, port_range=(port, port + 100)).port
frontend = registry.reserve(preferred=port + 101, port_range=(port + 101, port + 201)).port
registry.write_env({"SERVICE_PORT": str(service), "FRONTEND_PORT": str(frontend)})
urls = {"httpUrl": f"http://localhost:{service}", "wsUrl": f"ws://localhost:{service}/ws"}
registry.update_config_json(urls, path="config.json")
with open("runtime-config.js", "w") as file:
    file.write("window.RUNTIME = " + json.dumps(urls, indent=2) + ";\n")
with open("compose.override.yaml", "w") as file:
    file.write(f"services:\n  web:\n    ports: !override\n      - 127.0.0.1:{service}:80\n")
"#;

/// Concurrent reserves that get different ports. `reserve` forgets a reservation that is not held as soon as it returns, and
/// binds a held one after it has let go of its lock; so each caller takes a lock of its own around it, holds, and stays.
const RESERVE_CORRECTLY: &str = r#"
import sys
from portkeeper import PortRegistry
from portkeeper.core import FileLock

port = int(sys.argv[1])
with FileLock("outer.lock"):
    reservation = PortRegistry().reserve(port_range=(port, port + 999), hold=True)
print(reservation.port, flush=True)
sys.stdin.read()
"#;

/// An installation.
pub(crate) struct Python {
    bin: PathBuf,
}

impl Python {
    /// Installs the tool under the folder, unless a run before did. None, and a loud line, when that fails.
    pub(crate) fn installed(folder: &Path) -> Option<Self> {
        venv_with(PACKAGE, "portkeeper", folder).map(|bin| Self { bin })
    }

    /// Its command line.
    pub(crate) fn portkeeper<'a>(&self, home: &'a Sandbox, words: &str) -> Run<'a> {
        home.program(self.bin.join("portkeeper")).words(words)
    }

    /// What its users do where portkeeper has `prepare`.
    pub(crate) fn prepare<'a>(&self, home: &'a Sandbox, port: u16) -> Run<'a> {
        self.script(home, PREPARE, port)
    }

    /// Reserves that many ports at once and tells them, with the processes that keep them.
    pub(crate) fn reserve_at_once(&self, home: &Sandbox, port: u16, count: usize) -> (Vec<u16>, Vec<Child>) {
        let run = self.script(home, RESERVE_CORRECTLY, port);
        let start = || run.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python starts");
        let mut children: Vec<Child> = (0..count).map(|_| start()).collect();
        (children.iter_mut().map(answered_port).collect(), children)
    }

    fn script<'a>(&self, home: &'a Sandbox, script: &str, port: u16) -> Run<'a> {
        home.program(self.bin.join("python")).arg("-c").arg(script).arg(port.to_string())
    }
}

/// The `bin` of a virtual environment with the package and its command. None, and a loud line, when it can't be installed.
pub(crate) fn venv_with(package: &str, command: &str, folder: &Path) -> Option<PathBuf> {
    let venv = folder.join(package);
    let bin = venv.join("bin");
    let install = || {
        succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        succeeds(Command::new(bin.join("python")).args(["-m", "pip", "install", "--quiet", package]))
    };
    if !bin.join(command).exists()
        && let Err(why) = install()
    {
        eprintln!("SKIPPED: everything that compares with {package}, because it could not be installed: {why}");
        return None;
    }
    Some(bin)
}

fn answered_port(child: &mut Child) -> u16 {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("an answer");
    line.trim().parse().expect("a port")
}

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

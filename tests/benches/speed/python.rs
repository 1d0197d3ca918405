//! The Python tool, in two releases: no published one has both a command line that works and a library that is right.

use std::path::{Path, PathBuf};
use std::process::Command;

use portkeeper_tests::{Outcome, Run, Sandbox, all_at_once};

/// The last release whose command line reserves.
const PACKAGE: &str = "portkeeper==0.1.12";

/// The one release whose library gives concurrent callers different ports. (0.1 forgets what is not held as soon as the next caller
/// comes; 0.5.45 and 0.5.46 wait for a lock that they have.)
const CORRECT_PACKAGE: &str = "portkeeper==0.5.44";

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

/// What reserves a port with [`CORRECT_PACKAGE`], whose own command line fails: it passes an argument that its library does not have.
const RESERVE_CORRECTLY: &str = r#"
import sys
from portkeeper import PortRegistry

port = int(sys.argv[1])
print(PortRegistry().reserve(port_range=(port, port + 999)).port)
"#;

/// An installation of both.
pub(crate) struct Python {
    bin: PathBuf,
    correct: PathBuf,
}

impl Python {
    /// Installs the tool under the directory, unless a run before did. None, and a loud line, when that fails.
    pub(crate) fn installed(directory: &Path) -> Option<Self> {
        let [bin, correct] = [PACKAGE, CORRECT_PACKAGE].map(|package| venv_with(package, "portkeeper", directory));
        Some(Self { bin: bin?, correct: correct? })
    }

    /// Its command line.
    pub(crate) fn portkeeper<'a>(&self, home: &'a Sandbox, words: &str) -> Run<'a> {
        home.program(self.bin.join("portkeeper")).words(words)
    }

    /// What its users do where portkeeper has `prepare`.
    pub(crate) fn prepare<'a>(&self, home: &'a Sandbox, port: u16) -> Run<'a> {
        home.program(self.bin.join("python")).arg("-c").arg(PREPARE).arg(port.to_string())
    }

    /// That many callers at once, each of which prints its port.
    pub(crate) fn reserve_at_once(&self, home: &Sandbox, port: u16, count: usize) -> Vec<Outcome> {
        // Whoever finds no registry makes an empty one, without a lock: over what others have reserved meanwhile.
        home.write(".port_registry.json", "{}");
        let run = home.program(self.correct.join("python")).arg("-c").arg(RESERVE_CORRECTLY).arg(port.to_string());
        all_at_once(vec![run; count])
    }
}

/// The `bin` of a virtual environment with the package and its command. None, and a loud line, when it cannot be installed.
pub(crate) fn venv_with(package: &str, command: &str, directory: &Path) -> Option<PathBuf> {
    let venv = directory.join(package);
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

fn succeeds(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

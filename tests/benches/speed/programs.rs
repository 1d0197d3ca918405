//! The programs that are compared, each with a home of its own on the same file system.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use portkeeper_tests::{Programs, Run, Sandbox, Usage, release_build};

use crate::python::Python;

fn programs() -> Programs {
    Programs { portkeeper: installed(), stand_in: env!("CARGO_BIN_EXE_stand-in") }
}

/// The release build as an installed copy. The linker leaves a file that lies in the system's cache in small pieces, which a start has to
/// gather one by one; no user's does.
fn installed() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("portkeeper");
        // A new file, and not the old one's pieces with other content.
        let _ = fs::remove_file(&copy);
        fs::copy(release_build(), &copy).expect("a copy of the release build");
        copy.into_os_string().into_string().expect("a path in UTF-8")
    })
}

/// The argument with which this program becomes [`peak_memory_of_child`].
pub(crate) const PEAK_MEMORY: &str = "--peak-memory";

/// What every case needs.
pub(crate) struct Bench {
    /// A port that is free on this machine. Every program asks for it, so that all do the same work.
    pub(crate) port: u16,
    /// The Python tool, where it can be installed.
    pub(crate) python: Option<Python>,
    floor: PathBuf,
}

impl Bench {
    /// Builds and installs what is compared.
    pub(crate) fn new() -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // The system's temporary directory may be in memory, where a sync costs nothing.
        tempfile::env::override_temp_dir(directory).expect("no temporary file was made before");
        Self { port: free_port(), python: Python::installed(directory), floor: compiled_floor(directory) }
    }

    /// The path of portkeeper's release build.
    pub(crate) fn portkeeper_path() -> &'static Path {
        Path::new(installed())
    }

    /// A home with nothing in it.
    pub(crate) fn home() -> Sandbox {
        Sandbox::new(programs())
    }

    /// The floor program, with a registry of the size that a few reservations have.
    pub(crate) fn floor<'a>(&self, home: &'a Sandbox) -> Run<'a> {
        home.write("registry.json", [b' '; 1024]);
        home.program(&self.floor).arg(self.port.to_string())
    }

    /// portkeeper, asked for the port.
    pub(crate) fn reserve<'a>(&self, home: &'a Sandbox) -> Run<'a> {
        home.portkeeper(format!("reserve {}", self.selection()))
    }

    /// How portkeeper is asked for the port.
    pub(crate) fn selection(&self) -> String {
        format!("--preferred {} --range {}-{}", self.port, self.port, self.port + 100)
    }
}

/// Runs it and tells the peak of its resident memory in KiB.
pub(crate) fn peak_memory(run: &Run<'_>) -> u64 {
    let inner = run.command();
    let mut outer = Command::new(std::env::current_exe().expect("the path of this program"));
    outer.arg(PEAK_MEMORY).arg(inner.get_program()).args(inner.get_args());
    outer.current_dir(inner.get_current_dir().expect("a directory")).env_clear();
    outer.envs(inner.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = outer.output().expect("this program starts");
    assert!(output.status.success(), "{run}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// Runs the command and tells the peak of its resident memory in KiB (`ru_maxrss`, getrusage(2)).
///
/// A child is charged for its parent's memory until it calls exec, so this has to happen in a small process: the benchmark starts
/// itself for it.
pub(crate) fn peak_memory_of_child(command: &[String]) -> i64 {
    let (program, arguments) = command.split_first().expect("a program");
    let output = Command::new(program).args(arguments).output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Usage::of_children().peak_memory
}

fn compiled_floor(directory: &Path) -> PathBuf {
    let program = directory.join("floor");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/speed/floor.c");
    let status = Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).status().expect("cc, a C compiler");
    assert!(status.success(), "cc could not compile the floor program");
    program
}

fn free_port() -> u16 {
    let free =
        |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok() && TcpListener::bind(("::1", *port)).is_ok();
    (23_456..24_456).find(free).expect("a free port in 23456-24455")
}

//! What the author of a plugin has beside portkeeper: cargo, the WebAssembly target, and the crates that plugins are built from.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use portkeeper_tests::builtin::root;
use portkeeper_tests::{Run, skipped};

pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Where authors' crates are built: one directory, so that not every test compiles the SDK again.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("third-party")
}

/// The run as in an author's shell, where cargo works: in the sandbox's home it would find neither a toolchain nor crates.
pub(crate) fn author(run: Run<'_>) -> Run<'_> {
    environment().into_iter().fold(run, |run, (key, value)| run.env(key, value))
}

/// The author's cargo in the directory, without what the cargo that runs this test says to its children.
pub(crate) fn cargo(directory: &Path) -> Command {
    let mut cargo = toolchain(&cargo_path());
    cargo.current_dir(directory);
    cargo
}

/// Whether plugins can be built here, after saying what this machine lacks for it.
#[track_caller]
pub(crate) fn can_build_or_skip() -> bool {
    static BUILDS: LazyLock<Result<(), String>> = LazyLock::new(|| has_target().and_then(|()| has_crates()));
    BUILDS.as_ref().inspect_err(|why| skipped("wasm", why)).is_ok()
}

fn has_target() -> Result<(), String> {
    let asked = toolchain("rustc").args(["--print", "target-libdir", "--target", WASM]).output().unwrap();
    let libraries = String::from_utf8(asked.stdout).unwrap();
    match asked.status.success() && Path::new(libraries.trim()).is_dir() {
        true => Ok(()),
        false => Err(format!("{WASM} is not there: rustup target add {WASM}")),
    }
}

/// Downloads what `cargo test` does not need for itself, for the tests to build plugins without the network: with the versions that
/// are in use here, which they copy. It is done as the user has set cargo up, and nothing is asked of the network where all is there.
fn has_crates() -> Result<(), String> {
    let mut fetch = Command::new(cargo_path());
    let output = fetch.current_dir(root()).args(["fetch", "--quiet", "--locked", "--target", WASM]).output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "what plugins are built from is not there: cargo fetch --target {WASM}\n{}",
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn cargo_path() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

fn toolchain(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path))).envs(environment());
    command
}

/// Where cargo and its toolchain are, and that nothing is downloaded.
fn environment() -> Vec<(&'static str, OsString)> {
    let home = std::env::home_dir().unwrap();
    let beside_home = |key: &'static str, directory: &str| {
        (key, std::env::var_os(key).unwrap_or_else(|| home.join(directory).into_os_string()))
    };
    let mut environment = vec![
        beside_home("CARGO_HOME", ".cargo"),
        beside_home("RUSTUP_HOME", ".rustup"),
        ("CARGO_TARGET_DIR", target().into_os_string()),
        ("CARGO_NET_OFFLINE", "true".into()),
    ];
    environment.extend(std::env::var_os("RUSTUP_TOOLCHAIN").map(|name| ("RUSTUP_TOOLCHAIN", name)));
    environment
}

//! From a crate to a component: cargo, and what makes a component of the core module that it leaves.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::BuildError;
use crate::fs::{PathContext, PathError};
use crate::plugins::to_component;

/// What plugins are built for: WebAssembly without any system around it.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// How Rust's tools are called.
#[derive(Debug, Clone)]
pub struct Cargo {
    /// `cargo`, or another path of it.
    pub cargo: OsString,
    /// `rustc`, or another path of it.
    pub rustc: OsString,
    /// Further arguments of `cargo build`.
    pub arguments: Vec<String>,
}

/// Builds the crate in the directory in release mode and gives back the component. What cargo has to say goes to our stderr.
///
/// # Errors
/// [`BuildError`]; [`BuildError::Failed`] after cargo has said why.
pub fn build(directory: &Path, cargo: &Cargo) -> Result<Vec<u8>, BuildError> {
    if !directory.join("Cargo.toml").is_file() {
        return Err(BuildError::NoCrate(directory.to_owned()));
    }
    let has_target = has_target(directory, &cargo.rustc)?;
    let module = match run_cargo(directory, cargo) {
        // Cargo's own words about a missing target are many errors that tell little.
        Err(BuildError::Failed) if !has_target => return Err(BuildError::NoTarget),
        module => module?,
    };
    to_component(&std::fs::read(&module).at(&module)?, &module).map_err(BuildError::Plugin)
}

/// Whether the standard library for the target lies where this compiler looks. One that is built along with the crate does not.
fn has_target(directory: &Path, rustc: &OsStr) -> Result<bool, BuildError> {
    let asked = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| no_program(rustc, source))?;
    let path = String::from_utf8_lossy(&asked.stdout);
    Ok(asked.status.success() && Path::new(path.trim()).is_dir())
}

fn no_program(program: &OsStr, source: std::io::Error) -> BuildError {
    BuildError::NoProgram(PathError { path: program.into(), source })
}

/// Runs cargo, and gives back the file that it built.
fn run_cargo(directory: &Path, cargo: &Cargo) -> Result<PathBuf, BuildError> {
    let mut child = Command::new(&cargo.cargo)
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .args(&cargo.arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| no_program(&cargo.cargo, source))?;
    let messages = child.stdout.take().map(BufReader::new);
    let mut built: Vec<PathBuf> = messages
        .into_iter()
        .flat_map(BufRead::lines)
        .map_while(Result::ok)
        .flat_map(|line| plugins_in(&line))
        .collect();
    let status = child.wait().map_err(|source| no_program(&cargo.cargo, source))?;
    if !status.success() {
        return Err(BuildError::Failed);
    }
    match (built.pop(), built.is_empty()) {
        (None, _) => Err(BuildError::NoCdylib),
        (Some(module), true) => Ok(module),
        (Some(module), false) => {
            built.push(module);
            Err(BuildError::Several(built.iter().map(|path| path.display().to_string()).collect()))
        }
    }
}

/// The plugins that one of cargo's messages tells of (The Cargo Book, External tools, JSON messages).
fn plugins_in(message: &str) -> Vec<PathBuf> {
    let Ok(message) = serde_json::from_str::<Value>(message) else { return Vec::new() };
    let kinds = message.pointer("/target/crate_types").and_then(Value::as_array);
    let is_cdylib = kinds.into_iter().flatten().any(|kind| kind == "cdylib");
    if message["reason"] != "compiler-artifact" || !is_cdylib {
        return Vec::new();
    }
    let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugin_is_taken_from_what_cargo_says() {
        let message = |reason: &str, kind: &str| {
            format!(
                r#"{{"reason":"{reason}","target":{{"crate_types":["{kind}"]}},"filenames":["/t/x.wasm","/t/x.rlib"]}}"#
            )
        };
        assert_eq!(plugins_in(&message("compiler-artifact", "cdylib")), [PathBuf::from("/t/x.wasm")]);
        assert!(plugins_in(&message("compiler-artifact", "lib")).is_empty());
        assert!(plugins_in(&message("build-finished", "cdylib")).is_empty());
        assert!(plugins_in("no JSON").is_empty());
    }
}

//! The program as packages ship it.

use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The path of portkeeper's `dist` build, which is built if it has to be: that takes minutes.
///
/// # Panics
/// When cargo cannot build it.
#[must_use]
pub fn release_build() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let words = [
            "build",
            "--profile",
            "dist",
            "--package",
            "portkeeper",
            "--bin",
            "portkeeper",
            "--message-format",
            "json",
        ];
        let mut build = Command::new(cargo);
        let output = build.args(words).stderr(Stdio::inherit()).output().expect("cargo starts");
        assert!(output.status.success(), "portkeeper cannot be built");
        let messages = String::from_utf8_lossy(&output.stdout);
        let executable =
            |line: &str| Some(serde_json::from_str::<Value>(line).ok()?["executable"].as_str()?.to_owned());
        messages.lines().find_map(executable).expect("cargo says where the program is")
    })
}

//! The guide for authors, done as it is written.

use std::path::Path;

use portkeeper_tests::builtin::root;
use portkeeper_tests::{Run, Sandbox, blocks_for_testing, skipped};

use crate::sandbox;

/// An author's shell: cargo works in it, without the network, and shares what it builds with other tests.
fn author<'a>(run: Run<'a>) -> Run<'a> {
    let home = std::env::home_dir().unwrap();
    let run = run.env("CARGO_HOME", home.join(".cargo")).env("RUSTUP_HOME", home.join(".rustup"));
    let kept = ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
    let set = |run: Run<'a>, key: &str| match std::env::var_os(key) {
        Some(value) => run.env(key, value),
        None => run,
    };
    let run = kept.into_iter().fold(run, set);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("third-party");
    run.env("CARGO_TARGET_DIR", target).env("CARGO_NET_OFFLINE", "true")
}

/// A folder beside a clone; none where this machine lacks what building a plugin needs.
#[track_caller]
fn beside_a_clone() -> Option<Sandbox> {
    let sandbox = sandbox();
    std::os::unix::fs::symlink(root(), sandbox.root().join("portkeeper")).unwrap();
    let target = author(sandbox.program("rustc").words("--print target-libdir --target wasm32-unknown-unknown")).run();
    if !target.status.success() || !Path::new(target.stdout.trim()).is_dir() {
        skipped("wasm", "wasm32-unknown-unknown is not there: rustup target add wasm32-unknown-unknown");
        return None;
    }
    Some(sandbox)
}

#[test]
fn the_guide_leads_to_a_format_in_use() {
    let Some(sandbox) = beside_a_clone() else { return };
    let guide = std::fs::read_to_string(root().join("plugin-sdk/README.md")).unwrap();
    let blocks = blocks_for_testing(&guide);
    assert_eq!(blocks.len(), 6, "the guide has lost its marks");
    for block in &blocks {
        let outcome = author(sandbox.shell(&block.script)).run();
        assert!(outcome.status.success(), "line {}\n{outcome}", block.line);
        // The versions that are in use here, so that no network is needed.
        let lock = sandbox.work().join("ini/Cargo.lock");
        if !lock.exists() {
            std::fs::copy(root().join("Cargo.lock"), lock).unwrap();
        }
    }
    let port = sandbox.reserved()[0];
    assert_eq!(sandbox.read("app.ini"), format!("[web]\nport = {port}\n"));
    assert_eq!(
        sandbox.read("ini/fixtures/update/expected/ports.ini"),
        "; ours\n[web]\nport = 8888\n\n[db]\nport = 2\n"
    );
    assert_eq!(sandbox.read("ini/fixtures/new/expected/ports.ini"), "[ports]\nSERVICE_PORT = 8888\n");
}

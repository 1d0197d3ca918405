//! The guide for authors, done as it is written.

use portkeeper_tests::blocks_for_testing;
use portkeeper_tests::builtin::root;

use crate::author::{author, can_build_or_skip};
use crate::sandbox;

#[test]
fn the_guide_leads_to_a_format_in_use() {
    if !can_build_or_skip() {
        return;
    }
    let sandbox = sandbox();
    std::os::unix::fs::symlink(root(), sandbox.root().join("portkeeper")).unwrap();
    let guide = std::fs::read_to_string(root().join("plugin-sdk/README.md")).unwrap();
    let blocks = blocks_for_testing(&guide);
    assert_eq!(blocks.len(), 6, "the guide has lost its marks");
    for block in &blocks {
        let outcome = author(sandbox.shell(&block.script)).run();
        assert!(outcome.status.success(), "line {}\n{outcome}", block.line);
        // The versions that are in use here: nothing else is downloaded.
        let lock = sandbox.work().join("conf/Cargo.lock");
        if !lock.exists() {
            std::fs::copy(root().join("Cargo.lock"), lock).unwrap();
        }
    }
    let port = sandbox.reserved()[0];
    assert_eq!(sandbox.read("app.ini"), format!("[web]\nport = {port}\n"));
    assert_eq!(
        sandbox.read("conf/fixtures/update/expected/ports.ini"),
        "; ours\n[web]\nport = 8888\n\n[db]\nport = 2\n"
    );
    assert_eq!(sandbox.read("conf/fixtures/new/expected/ports.ini"), "[ports]\nSERVICE_PORT = 8888\n");
}

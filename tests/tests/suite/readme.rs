//! What README shows is what happens.

use std::path::Path;

use portkeeper_tests::{Namespace, Own, blocks_for_testing};

use crate::sandbox;

/// The blocks run one after another in one folder, as a reader would type them, in a network in which no port is taken.
#[test]
fn the_commands_of_the_readme_run_as_they_are_written() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let blocks = blocks_for_testing(&text);
    assert!(!blocks.is_empty(), "no block of README.md is marked with <!-- test -->");
    let Some(network) = Namespace::or_skip(Own::Network) else { return };
    let sandbox = sandbox();
    for block in blocks {
        let outcome = sandbox.shell(&block.script).inside(&network).run();
        assert_eq!(outcome.code(), Some(0), "README.md:{}\n{outcome}", block.line);
    }
}

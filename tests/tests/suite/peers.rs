//! Other people's published tests, unchanged, against this program: `tests/peers` has the shims, `.ci/run` gets the tools.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use portkeeper_tests::{Namespace, Outcome, Own, Run, Sandbox, builtin, program_or_skip, skipped};

use crate::sandbox;

/// A test that does not pass, and why that is right or not ours.
type Exception = (&'static str, &'static str);

const PORT_FOR: [Exception; 6] = [
    ("test_good_port_ranges", "it gives its own set of ports, and the program has no question about one"),
    ("test_binding", "it expects that port 10 cannot be bound, and root can"),
    ("test_all_used", "it replaces a function inside of the process that chooses"),
    ("test_random_port", "the same"),
    ("test_change_port", "`port NAME --port P` moves the name instead of refusing"),
    ("test_store", "`list` is sorted by name and not by age"),
];

const PORTPICKER: [Exception; 2] = [
    ("testIsPortFreeException", "it replaces the sockets of the process that looks, and the program has its own"),
    (
        "test_command_line_interface_no_portserver_bind_timeout",
        "a hold does not listen, so that clients are refused: it keeps the port all the same",
    ),
];

#[test]
fn portend() {
    let Some(peers) = Peers::or_skip() else { return };
    let outcome = peers.pytest("portend-3.2.1/test_portend.py", &[]);
    assert_results(&results_of_pytest(&outcome), 14, &[], &outcome);
}

#[test]
fn port_for() {
    let Some(peers) = Peers::or_skip() else { return };
    let outcome = peers.pytest("port-for-0.4/port_for/tests.py", &[]);
    assert_results(&results_of_pytest(&outcome), 12, &PORT_FOR, &outcome);
}

#[test]
fn portpicker() {
    let Some(peers) = Peers::or_skip() else { return };
    if program_or_skip("netstat").is_none() {
        return;
    }
    let outcome = peers.pytest("portpicker-1.6.0/src/tests/portpicker_test.py", &[]);
    assert_results(&results_of_pytest(&outcome), 21, &PORTPICKER, &outcome);
}

/// The other tests of its port server are about its own functions.
#[test]
fn portpicker_port_server() {
    let Some(peers) = Peers::or_skip() else { return };
    let outcome = peers.pytest("portpicker-1.6.0/src/tests/portserver_test.py", &["-k", "test_portserver_binary"]);
    assert_results(&results_of_pytest(&outcome), 1, &[], &outcome);
}

#[test]
fn kill_port() {
    let Some(peers) = Peers::or_skip() else { return };
    let Some(node) = program_or_skip("node") else { return };
    let copy = |from: &Path, to: &str| peers.sandbox.write(to, fs::read(from).expect("a file of the peer's or ours"));
    copy(&peers.installed.join("node_modules/kill-port/test.js"), "test.js");
    copy(&shims().join("kill-port.cjs"), "index.js");
    let run = peers.run(&node).arg("--require").arg(shims().join("jest.cjs"));
    let outcome = run.words("--test-reporter=tap test.js").run();
    let tests = outcome.stdout.lines().filter_map(|line| {
        // The tests are indented, and their group is not.
        let (passed, rest) = match line.trim_start().strip_prefix("not ") {
            Some(rest) => (false, rest),
            None => (true, line.trim_start()),
        };
        let name = rest.strip_prefix("ok ")?.split_once(" - ")?.1;
        line.starts_with(' ').then(|| (name.to_owned(), passed))
    });
    assert_results(&tests.collect::<Vec<_>>(), 3, &[], &outcome);
}

/// What `.ci/run` installed, and a network in which any port is free: their tests have fixed ones.
struct Peers {
    installed: PathBuf,
    network: Namespace,
    sandbox: Sandbox,
}

impl Peers {
    #[track_caller]
    fn or_skip() -> Option<Self> {
        let Some(installed) = std::env::var_os("PORTKEEPER_PEERS") else {
            skipped("PEERS", "PORTKEEPER_PEERS does not name the directory where the peers are");
            return None;
        };
        Some(Self { installed: installed.into(), network: Namespace::or_skip(Own::Network)?, sandbox: sandbox() })
    }

    fn run(&self, program: &str) -> Run<'_> {
        let run = self.sandbox.program(program).inside(&self.network).env("PORTKEEPER", self.sandbox.portkeeper_path());
        let path = std::env::var("PATH").unwrap_or_default();
        run.env("PATH", format!("{}:{path}", self.sandbox.work().display())).env("PYTHONDONTWRITEBYTECODE", "1")
    }

    /// Runs a copy of the tests, which lies beside no module of the tool's.
    fn pytest(&self, tests: &str, words: &[&str]) -> Outcome {
        let portpicker = self.installed.join("portpicker-1.6.0/src");
        let server = self.sandbox.write(
            "portserver.py",
            fs::read(shims().join("portserver/portserver.py")).expect("the shim of the port server"),
        );
        make_executable(&server);
        let text = fs::read(self.installed.join(tests)).expect("the tests of the peer");
        let file = tests.rsplit('/').next().unwrap_or(tests);
        self.sandbox.write(format!("tests/{file}"), text);
        let run = self.run(self.installed.join("venv/bin/pytest").to_str().expect("a path in UTF-8"));
        let run = run
            .env("PYTHONPATH", format!("{}:{}", shims().display(), portpicker.display()))
            .env("PORTPICKER", portpicker.join("portpicker.py"));
        let run = run.words("-q -rA -p no:cacheprovider").arg(format!("tests/{file}"));
        words.iter().fold(run, Run::arg).run()
    }
}

fn shims() -> PathBuf {
    builtin::root().join("tests/peers")
}

fn make_executable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("a file of ours");
}

/// `PASSED tests/test_portend.py::TestChecker::test_free_with_timeout[2]`, and the same for what failed.
fn results_of_pytest(outcome: &Outcome) -> Vec<(String, bool)> {
    let result = |line: &str| {
        let (word, rest) = line.split_once(' ')?;
        let passed = match word {
            "PASSED" => true,
            "FAILED" | "ERROR" => false,
            _ => return None,
        };
        let name = rest.split(" - ").next()?.rsplit("::").next()?;
        Some((name.to_owned(), passed))
    };
    outcome.stdout.lines().filter_map(result).collect()
}

/// As many tests as there are, and all but the exceptions pass. An exception that passes is none any more.
#[track_caller]
fn assert_results(found: &[(String, bool)], count: usize, exceptions: &[Exception], outcome: &Outcome) {
    let failed: BTreeSet<_> = found.iter().filter(|(_, passed)| !passed).map(|(name, _)| name.as_str()).collect();
    let expected: BTreeSet<_> = exceptions.iter().map(|(name, _)| *name).collect();
    assert_eq!(failed, expected, "what failed, and what is known to\n{outcome}");
    assert_eq!(found.len(), count, "{outcome}");
}

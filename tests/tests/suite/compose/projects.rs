//! Whole projects as real ones are, each a directory of `projects/`: its files, a config, and in `expected.json` which file is written and what
//! is published, or why nothing is. Docker's own client says what becomes of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portkeeper_tests::{Ports, Sandbox};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{compose_or_skip, short_syntax};
use crate::sandbox;

/// What has to come of a project.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    /// The file that is written.
    target: String,
    /// What each service publishes, with `{KEY}` for the port of a key.
    ports: BTreeMap<String, Vec<String>>,
    /// Words of the refusal.
    refused: Option<String>,
    /// Whether Compose calls the project by a name that only this directory has.
    project_name: bool,
    /// What Compose is asked to include.
    profiles: Vec<String>,
    /// The files that Compose gets by `-f`, before the one that is written.
    given: Vec<String>,
    /// Where Compose is started.
    directory: String,
}

struct Project {
    name: String,
    expected: Expected,
    sandbox: Sandbox,
    ports: BTreeMap<String, u16>,
}

fn projects() -> impl Iterator<Item = Project> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/compose/projects");
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(found.len() >= 20, "{} projects", found.len());
    found.into_iter().map(|directory| Project::copy(&directory))
}

impl Project {
    fn copy(directory: &Path) -> Self {
        let sandbox = sandbox();
        for file in files(directory) {
            let path = file.strip_prefix(directory).unwrap();
            if path != Path::new("expected.json") {
                sandbox.write(path, fs::read(&file).unwrap());
            }
        }
        let expected = serde_json::from_slice(&fs::read(directory.join("expected.json")).unwrap()).unwrap();
        let mut config: Value = serde_json::from_str(&sandbox.read("pk.config.json")).unwrap();
        let entries = config["ports"].as_array_mut().unwrap();
        let taken = Ports::take(u16::try_from(entries.len()).unwrap());
        let mut ports = BTreeMap::new();
        for (entry, port) in entries.iter_mut().zip(taken.all()) {
            entry["range"] = json!([port, port]);
            ports.insert(entry["key"].as_str().unwrap().to_owned(), port);
        }
        sandbox.write("pk.config.json", config.to_string());
        let name = directory.file_name().unwrap().to_string_lossy().into_owned();
        Self { name, expected, sandbox, ports }
    }

    /// What Compose makes of the project.
    fn config(&self, client: &str) -> Value {
        let Expected { given, target, profiles, directory, .. } = &self.expected;
        let written = (!given.is_empty() && self.sandbox.has(target)).then_some(target);
        let files: String = given.iter().chain(written).map(|file| format!(" -f {file}")).collect();
        let profiles: String = profiles.iter().map(|profile| format!(" --profile {profile}")).collect();
        let directory = if directory.is_empty() { "." } else { directory };
        self.sandbox.shell(&format!("cd {directory} && {client}{files}{profiles} config --format json")).ok().json()
    }

    fn published(&self, service: &str) -> Vec<String> {
        let number = |text: &String| {
            self.ports
                .iter()
                .fold(text.clone(), |text, (key, port)| text.replace(&format!("{{{key}}}"), &port.to_string()))
        };
        let mut ports: Vec<_> = self.expected.ports[service].iter().map(number).collect();
        ports.sort();
        ports
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn the_file_that_compose_reads_is_written_or_the_refusal_has_its_cause() {
    for project in projects() {
        let (before, name) = (project.sandbox.all_but_registry(), &project.name);
        let prepare = project.sandbox.portkeeper("prepare");
        if let Some(words) = &project.expected.refused {
            prepare.refused(2).says(words);
            assert_eq!(project.sandbox.all_but_registry(), before, "{name}");
            assert!(project.sandbox.reserved().is_empty(), "{name}");
            continue;
        }
        let outcome = prepare.ok();
        assert_eq!(outcome.json()["outputs"][0]["path"], *project.expected.target, "{name}");
        for service in project.expected.ports.keys() {
            let text = project.sandbox.read(&project.expected.target);
            for port in project.published(service) {
                assert!(text.contains(&format!("- \"{port}\"")), "{name}: {port}\n{text}");
            }
        }
        project.sandbox.portkeeper("prepare --check").ok();
    }
}

#[test]
fn docker_compose_publishes_the_reserved_ports_and_nothing_else_changes() {
    let Some(client) = compose_or_skip() else { return };
    for project in projects().filter(|project| project.expected.refused.is_none()) {
        let name = &project.name;
        let mut before = project.config(&client);
        project.sandbox.portkeeper("prepare").ok();
        let mut after = project.config(&client);
        for service in project.expected.ports.keys() {
            let ports = after["services"][service]["ports"].as_array();
            let ports = ports.unwrap_or_else(|| panic!("{name}: `{service}` publishes nothing\n{after}"));
            let mut ports: Vec<_> = ports.iter().map(short_syntax).collect();
            ports.sort();
            assert_eq!(ports, project.published(service), "{name}: {service}");
            for config in [&mut before, &mut after] {
                config["services"][service].as_object_mut().unwrap().remove("ports");
            }
        }
        if project.expected.project_name {
            let called = after["name"].as_str().unwrap().to_owned();
            assert!(called.starts_with("work-") && called.len() == "work-".len() + 8, "{called}");
            let volume = format!("{called}_front");
            assert_eq!(after["networks"]["front"]["name"], *volume, "{name}");
            let (before, after) = (without_names(&before), without_names(&after));
            assert_eq!(before, after, "{name}");
        } else {
            assert_eq!(before, after, "{name}");
        }
    }
}

/// The services, which are not called after the project.
fn without_names(config: &Value) -> Value {
    config["services"].clone()
}

//! The project's name: what keeps the containers, networks and volumes of two worktrees apart, as their ports are.
//!
//! Compose names them after the project, and the project after its directory. Two worktrees of one repository often have directories
//! of one name, or a `name:` in the Compose file. A `name:` in the override wins over both; only `-p` and COMPOSE_PROJECT_NAME win over it.

use portkeeper_plugin_sdk::yaml::{Id, Yaml};
use portkeeper_plugin_sdk::{Diagnostic, Failure, Request};

use crate::stack::{Document, Stack};
use crate::{environment, paths};

/// A name that no other directory's project has.
pub(crate) fn name(request: &Request) -> String {
    // What Compose allows (its "Specify a project name"): small letters, digits, `_` and `-`, a letter or digit first.
    let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let kept: String = request.project.chars().filter(allowed).map(|c| c.to_ascii_lowercase()).collect();
    let directory = match kept.trim_start_matches(['_', '-']) {
        "" => "project",
        directory => directory,
    };
    match request.fact("project-id") {
        Some(id) => format!("{directory}-{id}"),
        None => directory.to_owned(),
    }
}

/// Refuses a name that Compose would not take from the target.
pub(crate) fn check(request: &Request, stack: &Stack<'_>) -> Result<(), Failure> {
    let directory = paths::directory(&request.target.path);
    if let Some(set) = environment::variable(request, directory, "COMPOSE_PROJECT_NAME")? {
        return Err(Failure::bad_options(format!(
            "option `project_name`: {} sets COMPOSE_PROJECT_NAME to `{}`, which Compose prefers to a name in its files",
            set.by, set.value
        ))
        .help("Remove the variable, or the option."));
    }
    let names = |file: &Document| {
        let yaml = &file.yaml;
        yaml.root().and_then(|root| yaml.get(root, "name")).is_some()
    };
    match stack.after().iter().find(|file| names(file)) {
        Some(file) => Err(Failure::bad_options(format!(
            "option `project_name`: `{}`, which Compose reads after this file, has a `name` that wins",
            file.path
        ))
        .help("Name the file that portkeeper writes last in COMPOSE_FILE.")),
        None => Ok(()),
    }
}

/// What is the same in every project, whatever its name, and so still clashes.
pub(crate) fn clashes(stack: &Stack<'_>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for file in stack.documents() {
        let yaml = &file.yaml;
        for (section, field) in [("services", "container_name"), ("networks", "name"), ("volumes", "name")] {
            for (key, value) in entries(yaml, section) {
                let fixed = yaml.get(value, field).filter(|&id| is_fixed(yaml, value, id));
                let words = fixed.zip(yaml.text(key)).map(|(id, key)| (id, key, yaml.text(id).unwrap_or_default()));
                if let Some((id, key, name)) = words {
                    let what = section.trim_end_matches('s');
                    let message = format!(
                        "the {what} `{key}` is called `{name}` in every project, so two worktrees cannot run at the same time; remove its `{field}`"
                    );
                    let line = u32::try_from(yaml.node(id).line).unwrap_or(u32::MAX);
                    found.push(Diagnostic::warning(message).at(&file.path, line));
                }
            }
        }
    }
    found
}

fn entries(yaml: &Yaml, section: &str) -> Vec<(Id, Id)> {
    let section = yaml.root().and_then(|root| yaml.get(root, section));
    section.map(|id| yaml.entries(id).to_vec()).unwrap_or_default()
}

/// What is external is shared on purpose, and a variable may make it differ.
fn is_fixed(yaml: &Yaml, owner: Id, name: Id) -> bool {
    let is_external = yaml.get(owner, "external").is_some_and(|id| yaml.text(id) != Some("false"));
    !is_external && yaml.text(name).is_some_and(|name| !name.contains('$'))
}

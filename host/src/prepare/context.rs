//! What a built-in format sees beside what its config names: the files that its reader would look at, and variables that it declares.
//!
//! The formats ask for them in attributes (`context` in the plugin SDK says how). Only portkeeper's own may: a plugin of a third party
//! could copy a secret from such a file or variable into its output.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::PrepareError;
use crate::config::Output;
use crate::output::{FileSet, Root, Target, TargetError};
use crate::plugins::{Failure, Plugin, RenderError, Rendered, Request};

/// The code of a failure that orders files: its message names them, one a line.
const NEEDS_FILES: &str = "needs-files";

/// How often a format may find out that it needs further files: as deep as files may include each other.
const ROUNDS: usize = 64;

/// The fields of an output that have defaults.
type Given = (&'static str, fn(&Output) -> bool);
const GIVEN: [Given; 2] = [("path", |output| output.path.is_some()), ("inputs", |output| output.inputs.is_some())];

/// What a plugin's attribute lists, a name a line; nothing for plugins of third parties.
fn listed<'a>(plugin: &'a Plugin, attribute: &str) -> impl Iterator<Item = &'a str> {
    let is_ours = plugin.origin().is_built_in();
    let found = plugin.metadata().attrs.iter().find(|(name, _)| is_ours && name == attribute);
    found.into_iter().flat_map(|(_, value)| value.lines())
}

/// Where an output of a built-in format without a `path` is written: the first of the format's usual files that is there, else its default.
pub(super) fn default_path(plugin: &Plugin, directory: &Path) -> Option<String> {
    if !plugin.origin().is_built_in() {
        return None;
    }
    let there = listed(plugin, "default-paths").find(|path| directory.join(path).symlink_metadata().is_ok());
    there.map(str::to_owned).or_else(|| plugin.metadata().default_path.clone())
}

/// The usual inputs of a built-in format: those beside the target that are there, else those in the config's directory.
pub(super) fn default_inputs(
    plugin: &Plugin,
    path: &str,
    locate: &dyn Fn(&str) -> Result<Target, TargetError>,
) -> Result<Vec<Target>, TargetError> {
    if !plugin.origin().is_built_in() {
        return Ok(Vec::new());
    }
    let there = |prefix: &str| {
        let located = plugin.metadata().default_inputs.iter().map(|input| locate(&format!("{prefix}{input}")));
        located
            .filter(|input| input.as_ref().map_or(true, |input| input.real().exists()))
            .collect::<Result<Vec<_>, _>>()
    };
    match beside(path) {
        "" => there(""),
        prefix => match there(prefix)? {
            none if none.is_empty() => there(""),
            found => Ok(found),
        },
    }
}

/// The part of a path that stands before the name of its file.
fn beside(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

/// The files beside the target that the format always wants to see.
pub(super) fn context_files(plugin: &Plugin, path: &str) -> Vec<String> {
    listed(plugin, "context-files").map(|name| format!("{}{name}", beside(path))).collect()
}

/// The facts that are the same for every rendering of the output.
pub(super) fn facts(
    plugin: &Plugin,
    output: &Output,
    project_id: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Vec<(String, String)> {
    let given: Vec<_> = GIVEN.iter().filter(|(_, is_given)| is_given(output)).map(|(field, _)| *field).collect();
    let mut facts = vec![
        ("project-id".to_owned(), project_id.to_owned()),
        ("type".to_owned(), output.format.clone()),
        ("platform".to_owned(), std::env::consts::FAMILY.to_owned()),
        ("given".to_owned(), given.join(" ")),
    ];
    let variable = |name: &str| Some((format!("environment:{name}"), environment(name)?));
    facts.extend(listed(plugin, "environment").filter_map(variable));
    facts
}

/// Eight digits that differ for each directory, also for two worktrees of one repository. The path has no symbolic links.
pub(super) fn project_id(directory: &Path) -> String {
    Sha256::digest(directory.as_os_str().as_encoded_bytes())[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where context files are, and what they say.
pub(super) struct Files<'a> {
    pub(super) root: &'a Root,
    pub(super) is_trusted: &'a dyn Fn(&Path) -> bool,
}

impl Files<'_> {
    /// The file as an attribute of a request.
    pub(super) fn shown(&self, path: &str, files: &mut FileSet) -> (String, String) {
        match self.root.target(path, self.is_trusted) {
            Ok(target) => shown_at(path, &target, files),
            Err(error) => (format!("hidden-file:{path}"), error.to_string()),
        }
    }

    /// Renders again with the files that the format ordered, as long as it orders some.
    pub(super) fn render_on(
        &self,
        plugin: &Plugin,
        request: &mut Request,
        mut answer: Result<Rendered, RenderError>,
        files: &mut FileSet,
    ) -> Result<Result<Rendered, RenderError>, PrepareError> {
        for _ in 0..ROUNDS {
            let Some(order) = order(plugin, &answer) else { return Ok(answer) };
            let seen = |path: &str| request.attrs.iter().any(|(name, _)| is_about(name, path));
            let wanted: Vec<_> = order.lines().filter(|path| !seen(path)).map(str::to_owned).collect();
            if wanted.is_empty() {
                break;
            }
            request.attrs.extend(wanted.iter().map(|path| self.shown(path, files)));
            answer = plugin.render(request);
        }
        Ok(match order(plugin, &answer) {
            Some(order) => Err(RenderError::Failed(endless(order))),
            None => answer,
        })
    }
}

/// The same of a file that is located already.
pub(super) fn shown_at(path: &str, target: &Target, files: &mut FileSet) -> (String, String) {
    match files.text(target) {
        Ok(Some(text)) => (format!("file:{path}"), text.to_owned()),
        Ok(None) => (format!("missing-file:{path}"), String::new()),
        Err(error) => (format!("hidden-file:{path}"), error.to_string()),
    }
}

/// The files that the answer orders, if it does.
fn order<'a>(plugin: &Plugin, answer: &'a Result<Rendered, RenderError>) -> Option<&'a str> {
    match answer {
        Err(RenderError::Failed(failure)) if failure.code == NEEDS_FILES => {
            plugin.origin().is_built_in().then_some(failure.message.as_str())
        }
        _ => None,
    }
}

fn is_about(attribute: &str, path: &str) -> bool {
    attribute
        .split_once("file:")
        .is_some_and(|(kind, about)| matches!(kind, "" | "missing-" | "hidden-") && about == path)
}

fn endless(order: &str) -> Failure {
    let first = order.lines().next().unwrap_or_default();
    Failure {
        code: "bad-input".to_owned(),
        message: format!(
            "`{first}` is named by files that lead to more than {ROUNDS} others in a row, or its name cannot be read"
        ),
        help: Some("Name the files to look at in `inputs`.".to_owned()),
        line: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_beside_a_target_is_named_from_the_configs_directory() {
        assert_eq!(beside("compose.override.yaml"), "");
        assert_eq!(beside("deploy/a/compose.override.yaml"), "deploy/a/");
    }

    #[test]
    fn an_attribute_is_about_its_file_only() {
        assert!(is_about("file:a", "a") && is_about("missing-file:a", "a") && is_about("hidden-file:a:b", "a:b"));
        assert!(!is_about("file:a", "b") && !is_about("environment:file:a", "a"));
    }

    #[test]
    fn each_directory_has_an_id_of_its_own() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(project_id(one.path()), project_id(two.path()));
        assert_eq!(project_id(one.path()).len(), 8);
    }
}

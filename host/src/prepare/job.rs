//! What is to be reserved and written, whether a config or the command line says so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{PrepareContext, PrepareError};
use crate::config::{Config, Output, PluginSource};
use crate::document::FieldPath;
use crate::fs::{PathContext, directory_of};
use crate::lockfile::{Lockfile, LockfileError};
use crate::model::{HoldKind, Host, Lease, LeaseName, Project, Protocols};
use crate::output::{Root, Target, belongs_to_portkeeper};
use crate::plugins::{ExplicitPlugin, Pins, Sources};
use crate::probe::local_addresses;
use crate::reserve::{PortSelector, Request};

/// What is to be reserved and written.
#[derive(Debug)]
pub struct Job<'a> {
    directory: PathBuf,
    config: Option<&'a Config>,
    ports: Vec<Wanted>,
    outputs: Vec<Output>,
}

/// Where the plugins of a project are looked for: what its config and its lockfile say, its own directory, and the user's.
///
/// # Errors
/// The lockfile cannot be used.
pub fn plugin_sources(
    project: Option<&Path>,
    config: Option<&Config>,
    user: Option<&Path>,
) -> Result<Sources, LockfileError> {
    let explicit = |(config, (name, source)): (&Config, (&String, &PluginSource))| {
        let path = config.directory().join(&source.path);
        let path = std::path::absolute(&path).unwrap_or(path);
        (name.clone(), ExplicitPlugin { path, sha256: source.sha256.clone() })
    };
    let lockfile = project.map(Lockfile::load).transpose()?.flatten();
    let pins = lockfile.zip(project).map(|(lockfile, project)| Pins {
        lockfile: Lockfile::path(project),
        digests: lockfile.plugins.into_iter().map(|(name, plugin)| (name, plugin.sha256)).collect(),
    });
    Ok(Sources {
        explicit: config
            .into_iter()
            .flat_map(|config| config.plugins.iter().map(move |entry| (config, entry)))
            .map(explicit)
            .collect(),
        project: project.map(Path::to_owned),
        user: user.map(Path::to_owned),
        pins,
    })
}

/// A port that is wanted under a name.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// As it was written; none: the default host.
    pub(super) host: Option<Host>,
    pub(super) protocols: Protocols,
    choice: PortSelector,
    owner: Option<String>,
    hold: Option<HoldKind>,
}

impl<'a> Job<'a> {
    /// What a config asks for.
    #[must_use]
    pub fn of_config(config: &'a Config) -> Self {
        let wanted = |port: &crate::config::PortEntry| Wanted {
            name: port.key.clone(),
            host: port.host.as_ref().or(config.host.as_ref()).cloned(),
            protocols: port.protocol,
            choice: PortSelector::new(port.preferred, port.range),
            owner: port.owner.as_ref().or(config.owner.as_ref()).cloned(),
            hold: port.hold.or(config.hold),
        };
        Self {
            directory: config.directory().to_owned(),
            config: Some(config),
            ports: config.ports.iter().map(wanted).collect(),
            outputs: config.outputs.clone(),
        }
    }

    /// Ports that are written into one `.env` file: each request under its name. They belong to the file's directory.
    #[must_use]
    pub fn of_env_file(path: &Path, ports: Vec<(String, Request)>) -> Self {
        let output = Output {
            format: "env".to_owned(),
            path: Some(std::path::absolute(path).as_deref().unwrap_or(path).to_string_lossy().into_owned()),
            map: None,
            inputs: None,
            files: Vec::new(),
            backup: false,
            options: serde_json::Map::new(),
        };
        let wanted = |(name, request): (String, Request)| Wanted {
            name,
            host: Some(request.host),
            protocols: request.protocols,
            choice: request.choice,
            owner: request.owner,
            hold: request.hold,
        };
        Self {
            directory: directory_of(path).to_owned(),
            config: None,
            ports: ports.into_iter().map(wanted).collect(),
            outputs: vec![output],
        }
    }

    /// One file in a format, with these values as they are: no ports, and no variables.
    #[must_use]
    pub fn of_file(
        path: &Path,
        format: &str,
        values: &serde_json::Map<String, serde_json::Value>,
        backup: bool,
    ) -> Self {
        let mut job = Self::of_env_file(path, Vec::new());
        for output in &mut job.outputs {
            format.clone_into(&mut output.format);
            output.map = Some(values.clone());
            output.backup = backup;
        }
        job
    }

    /// Whether variables stand in the maps. Values that a program gives are meant as they are.
    pub(super) fn has_variables(&self) -> bool {
        self.config.is_some()
    }

    /// The directory that paths are relative to, and that names belong to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The project's directory, open: the one that the config was read in, wherever its path leads by now.
    pub(super) fn open_root(&self) -> Result<Root, PrepareError> {
        let root = Root::new(&self.directory)?;
        match self.config.and_then(Config::directory_id) {
            Some(id) if root.id() != Some(id) => {
                let replaced =
                    std::io::Error::other("replaced by another directory in the meantime; run the command again");
                Err(replaced).at(&self.directory)?
            }
            _ => Ok(root),
        }
    }

    pub(super) fn ports(&self) -> &[Wanted] {
        &self.ports
    }

    pub(super) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Where plugins are looked for.
    pub(super) fn sources(&self, around: &PrepareContext<'_>) -> Result<Sources, LockfileError> {
        // What stands in the directory of a .env file has not been asked for.
        let project = self.config.map(|_| self.directory.as_path());
        plugin_sources(project, self.config, around.plugins.map(PathBuf::as_path))
    }

    /// Whether the file is one that no output may be: the config itself, under whatever name, or another that portkeeper goes by. `project`
    /// is the directory without symbolic links.
    pub(super) fn is_off_limits(&self, target: &Target, project: &Path) -> bool {
        self.config.is_some_and(|config| is_same_file(&config.path, target.real()))
            || belongs_to_portkeeper(target.real(), project)
    }

    /// The requests, with hosts looked up.
    pub(super) fn requests(&self, around: &PrepareContext<'_>) -> Result<Vec<Request>, PrepareError> {
        let project = Arc::new(Project::at(&self.directory).at(&self.directory)?);
        let config = self.config.and_then(|config| Some(config.path.file_name()?.to_string_lossy().into_owned()));
        let request = |(index, wanted): (usize, &Wanted)| {
            let host = wanted.host.as_ref().unwrap_or(around.host).clone();
            let everywhere = wanted.host.is_none() && host.is_default();
            let addresses = local_addresses(&host).map_err(|error| match self.config {
                Some(_) => self.wrong("ports", index, &FieldPath::root().key("host"), error),
                None => error.into(),
            })?;
            let lease = Lease::Named(LeaseName {
                name: wanted.name.clone(),
                project: Some(Arc::clone(&project)),
                config: config.clone(),
                provisional: true,
            });
            let Wanted { protocols, choice, owner, hold, .. } = wanted;
            let choice = if everywhere { choice.everywhere() } else { *choice };
            let (protocols, owner, hold) = (*protocols, owner.clone(), *hold);
            Ok(Request { host, addresses, protocols, choice, owner, lease, hold })
        };
        self.ports.iter().enumerate().map(request).collect()
    }

    /// An error about a field of the entry at `index` of `list`, with its line where there is a config.
    pub(super) fn wrong(
        &self,
        list: &str,
        index: usize,
        field: &FieldPath,
        problem: impl std::fmt::Display,
    ) -> PrepareError {
        let field = FieldPath::root().key(list).index(index).join(field);
        match self.config {
            Some(config) => PrepareError::Config(config.error_at(field, problem)),
            None => PrepareError::Invalid(problem.to_string()),
        }
    }
}

/// Whether the path leads to the file, whatever links are on its way.
fn is_same_file(path: &Path, real: &Path) -> bool {
    path == real || path.canonicalize().is_ok_and(|path| path == real)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_config_asks_for_is_not_done_in_a_directory_that_took_the_place_of_its_own() {
        let base = tempfile::tempdir().unwrap();
        let project = base.path().join("project");
        std::fs::create_dir(&project).unwrap();
        let path = project.join("pk.config.json");
        std::fs::write(&path, r#"{ "ports": [{ "key": "PORT" }] }"#).unwrap();
        let config = Config::load(&path).unwrap();
        assert!(Job::of_config(&config).open_root().is_ok());
        std::fs::rename(&project, base.path().join("moved")).unwrap();
        std::fs::create_dir(&project).unwrap();
        let error = Job::of_config(&config).open_root().unwrap_err().to_string();
        assert!(error.contains("replaced by another directory"), "{error}");
    }
}

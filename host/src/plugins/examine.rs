//! A plugin's file, looked at from all sides: for its author, and for users who consider it.

use std::path::Path;
use std::time::Duration;

use super::crash::entering_compiler;
use super::engine::{LoadError, component_of};
use super::files::Content;
use super::inspect::Refusal;
use super::{Catalogue, Engine, Interface, Kind, Origin, Plugin, PluginError, files};
use crate::model::Digest;

/// What a plugin's file turned out to be. Of the plugin itself only `describe` was run, in the sandbox.
#[derive(Debug, Clone)]
pub struct Examined {
    /// The plugin.
    pub plugin: Plugin,
    /// What the file is.
    pub kind: Kind,
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The component's size, in bytes. The file's own unless that is a core module.
    pub component_size: usize,
    /// What the component needs and offers.
    pub interface: Interface,
    /// How long it took to compile: what the first use of the plugin costs on this machine.
    pub compile_time: Duration,
}

impl Engine {
    /// Examines a file that the user names, whether it is trusted or not.
    ///
    /// # Errors
    /// The file cannot be read, or is no plugin for this host.
    pub fn examine(&self, path: &Path) -> Result<Examined, PluginError> {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match files::read(&name, Origin::File(path.to_owned()))? {
            Some(candidate) => self.examine_candidate(candidate),
            None => Err(PluginError::missing(&name, path)),
        }
    }

    /// Examines bytes that would be the plugin at `path`.
    ///
    /// # Errors
    /// They are no plugin for this host.
    pub fn examine_bytes(&self, bytes: Vec<u8>, path: &Path) -> Result<Examined, PluginError> {
        let digest = Digest::of(&bytes);
        self.examine_candidate(files::Candidate {
            origin: Origin::File(path.to_owned()),
            content: Content::File(bytes),
            digest,
        })
    }

    fn examine_candidate(&self, candidate: files::Candidate) -> Result<Examined, PluginError> {
        let files::Candidate { origin, content, digest } = candidate;
        let bytes = content.into_bytes();
        let _in_compiler = entering_compiler(&origin);
        let (loaded, compiled) =
            self.load_anew(bytes.clone(), &digest).map_err(|error| PluginError::of_load(error, origin.clone()))?;
        Ok(Examined {
            plugin: Plugin { loaded, origin, digest },
            kind: compiled.kind,
            bytes,
            component_size: compiled.size,
            interface: compiled.interface,
            compile_time: compiled.time,
        })
    }
}

impl Catalogue<'_> {
    /// Examines the plugin of a type, whether it is trusted or not.
    ///
    /// # Errors
    /// There is none, or it is no plugin for this host.
    pub fn examine(&self, name: &str) -> Result<Examined, PluginError> {
        self.engine.examine_candidate(self.locate(name)?)
    }
}

/// The component that the bytes are, or that the core module in them makes.
///
/// # Errors
/// They are neither, or a module that was not built for the interface.
pub fn to_component(bytes: &[u8], path: &Path) -> Result<Vec<u8>, PluginError> {
    let origin = Origin::File(path.to_owned());
    let _in_compiler = entering_compiler(&origin);
    let unusable = |refusal: Refusal| PluginError::of_load(LoadError::Refused(refusal), origin);
    component_of(bytes).map(std::borrow::Cow::into_owned).map_err(unusable)
}

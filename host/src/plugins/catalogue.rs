//! Which plugin a `type` means.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::crash::entering_compiler;
use super::files::{Candidate, Content, PROJECT_DIRECTORY, plugin_files, read};
use super::{Engine, Origin, Plugin, PluginError, builtin, paths};
use crate::model::Digest;
use crate::os;
use crate::threads::parallel_map;

/// Where plugins are looked for, the first place first. After these come the built-in ones, whose names only `explicit` can take
/// over.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What the config says under `plugins`, by type.
    pub explicit: IndexMap<String, ExplicitPlugin>,
    /// The project's directory; its plugins are `.portkeeper/plugins/TYPE.wasm`.
    pub project: Option<PathBuf>,
    /// The directory of the user's plugins, `TYPE.wasm`.
    pub user: Option<PathBuf>,
    /// What the project's lockfile says; none when it has none.
    pub pins: Option<Pins>,
}

/// Which content the plugins of a project must have, by type, wherever they are found.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// The lockfile, for messages.
    pub lockfile: PathBuf,
    /// The digests.
    pub digests: BTreeMap<String, Digest>,
}

/// A plugin that a config names by its file.
#[derive(Debug, Clone)]
pub struct ExplicitPlugin {
    /// The file, absolute.
    pub path: PathBuf,
    /// The SHA-256 that the file must have.
    pub sha256: Option<String>,
}

/// An output type that there is a plugin for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its name.
    pub name: String,
    /// Other names of the same type.
    pub aliases: Vec<String>,
    /// Where its plugin comes from.
    pub origin: Origin,
}

/// Whether the user trusts the plugin with this path, absolute and without symbolic links, and this digest.
type IsTrusted<'a> = &'a (dyn Fn(&Path, &Digest) -> bool + Sync);

/// The plugins that one config can use.
pub struct Catalogue<'a> {
    pub(super) engine: &'a Engine,
    sources: Sources,
    is_trusted: IsTrusted<'a>,
}

impl<'a> Catalogue<'a> {
    /// The plugins of these sources. Nothing is read yet.
    ///
    /// Plugins that came with a repository or a config are other people's code: `is_trusted` decides which of them may run.
    #[must_use]
    pub fn new(engine: &'a Engine, sources: Sources, is_trusted: IsTrusted<'a>) -> Self {
        Self { engine, sources, is_trusted }
    }

    /// The plugin of the type, which has described itself, just now or when it was compiled.
    ///
    /// # Errors
    /// There is none, it may not run, or it is no plugin that renders this type.
    pub fn find(&self, name: &str) -> Result<Plugin, PluginError> {
        self.load(name, self.resolve(name)?)
    }

    /// Whether there is a plugin of the type that may run. Nothing is run, compiled or kept.
    ///
    /// # Errors
    /// There is none, or it may not run.
    pub fn permits(&self, name: &str) -> Result<(), PluginError> {
        self.resolve(name).map(drop)
    }

    /// The plugins of several types, in their order. None runs before all are there and may run. Each is passed to `found` once, as soon
    /// as it is ready; after that another may still turn out to be none.
    ///
    /// # Errors
    /// As for [`find`](Self::find): the first error in the order of the names.
    pub fn find_all(&self, names: &[&str], found: &(dyn Fn(&Plugin) + Sync)) -> Result<Vec<Plugin>, PluginError> {
        let mut distinct = Vec::new();
        for &name in names {
            if distinct.iter().all(|(other, _)| *other != name) {
                distinct.push((name, self.resolve(name)?));
            }
        }
        let (names_of, candidates): (Vec<_>, Vec<_>) = distinct.into_iter().unzip();
        // Side by side, if any has to be compiled: to load one takes less than a thread.
        let threads = if candidates.iter().all(|one| self.engine.knows(&one.content, &one.digest)) {
            1
        } else {
            os::processors()
        };
        let load = |(&name, candidate): (&&str, Candidate)| self.load(name, candidate).inspect(found);
        let loaded = parallel_map(threads, names_of.iter().zip(candidates), load);
        let plugins = names_of.iter().copied().zip(loaded).map(|(name, plugin)| Ok((name, plugin?)));
        let plugins = plugins.collect::<Result<BTreeMap<_, _>, PluginError>>()?;
        Ok(names.iter().map(|name| plugins[name].clone()).collect())
    }

    /// All types that there are, the built-in ones first. Nothing is run: a plugin in a directory stands under its file's name.
    #[must_use]
    pub fn types(&self) -> Vec<TypeInfo> {
        let explicit = &self.sources.explicit;
        let built_in = builtin::BUILT_IN.iter().filter_map(|plugin| {
            let mut names =
                plugin.types.iter().filter(|name| !explicit.contains_key(**name)).map(|&name| name.to_owned());
            let name = names.next()?;
            Some(TypeInfo { name, aliases: names.collect(), origin: Origin::BuiltIn(plugin.types[0]) })
        });
        let mut types = built_in.collect::<Vec<_>>();
        let explicit = explicit.iter().map(|(name, plugin)| (name.clone(), Origin::Explicit(plugin.path.clone())));
        let files = |directory: Option<PathBuf>| directory.into_iter().flat_map(|directory| plugin_files(&directory));
        let project = files(self.project_directory()).map(|(name, path)| (name, Origin::Project(path)));
        let user = files(self.sources.user.clone()).map(|(name, path)| (name, Origin::User(path)));
        for (name, origin) in explicit.chain(project).chain(user) {
            // What was found before comes first, and a file takes over no built-in name.
            if types.iter().all(|info| info.name != name && !info.aliases.contains(&name)) {
                types.push(TypeInfo { name, aliases: Vec::new(), origin });
            }
        }
        types
    }

    /// The bytes of the plugin of a type, which may run.
    fn resolve(&self, name: &str) -> Result<Candidate, PluginError> {
        let candidate = self.locate(name)?;
        self.permit(name, &candidate)?;
        Ok(candidate)
    }

    /// The bytes of the plugin of a type, wherever they come from.
    pub(super) fn locate(&self, name: &str) -> Result<Candidate, PluginError> {
        if let Some(plugin) = self.sources.explicit.get(name) {
            let candidate = read(name, Origin::Explicit(plugin.path.clone()))?;
            return candidate.ok_or_else(|| PluginError::missing(name, &plugin.path));
        }
        if let Some(plugin) = builtin::of_type(name) {
            let origin = Origin::BuiltIn(plugin.types[0]);
            return Ok(Candidate { origin, content: Content::BuiltIn(plugin), digest: plugin.digest() });
        }
        if !paths::is_type_name(name) {
            return Err(self.unknown(name));
        }
        let file = |directory: PathBuf| directory.join(format!("{name}.wasm"));
        let places = [
            self.project_directory().map(file).map(Origin::Project),
            self.sources.user.clone().map(file).map(Origin::User),
        ];
        for origin in places.into_iter().flatten() {
            if let Some(candidate) = read(name, origin)? {
                return Ok(candidate);
            }
        }
        Err(self.unknown(name))
    }

    /// Whether the plugin may run: it is the one that the config and the lockfile mean, and the user trusts it.
    fn permit(&self, name: &str, candidate: &Candidate) -> Result<(), PluginError> {
        let Some(path) = candidate.origin.path() else { return Ok(()) };
        if let Some(expected) = self.sources.explicit.get(name).and_then(|plugin| plugin.sha256.as_ref())
            && expected.parse() != Ok(candidate.digest)
        {
            let (path, expected) = (path.to_owned(), expected.clone());
            return Err(PluginError::WrongDigest { path, expected, found: candidate.digest });
        }
        self.pinned(name, path, candidate)?;
        match candidate.origin {
            Origin::Explicit(_) | Origin::Project(_) => self.trusted(path, candidate.digest),
            Origin::BuiltIn(_) | Origin::User(_) | Origin::File(_) => Ok(()),
        }
    }

    /// A plugin that the lockfile names has the digest that it names, wherever the plugin is; and it names all that come with the
    /// project.
    fn pinned(&self, name: &str, path: &Path, candidate: &Candidate) -> Result<(), PluginError> {
        let Some(pins) = &self.sources.pins else { return Ok(()) };
        let (path, lockfile) = (path.to_owned(), pins.lockfile.clone());
        match pins.digests.get(name) {
            Some(&pinned) if pinned != candidate.digest => {
                Err(PluginError::OtherThanPinned { path, lockfile, pinned, found: candidate.digest })
            }
            None if matches!(candidate.origin, Origin::Project(_)) => Err(PluginError::NotPinned { path, lockfile }),
            _ => Ok(()),
        }
    }

    /// What lies in the user's own directory needs no further word, under whatever path a config names it.
    fn trusted(&self, path: &Path, digest: Digest) -> Result<(), PluginError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let users_own = self.sources.user.as_ref().and_then(|directory| fs::canonicalize(directory).ok());
        if users_own.is_some_and(|directory| path.starts_with(directory)) || (self.is_trusted)(&path, &digest) {
            return Ok(());
        }
        Err(PluginError::NotTrusted { path, digest })
    }

    fn load(&self, name: &str, candidate: Candidate) -> Result<Plugin, PluginError> {
        let Candidate { origin, content, digest } = candidate;
        let _in_compiler = entering_compiler(&origin);
        let loaded = self.engine.load(content, &digest).map_err(|error| PluginError::of_load(error, origin.clone()))?;
        let serves = &loaded.metadata().output_types;
        if !serves.iter().any(|other| other == name) {
            return Err(PluginError::OtherTypes { name: name.to_owned(), origin, serves: serves.clone() });
        }
        Ok(Plugin { loaded, origin, digest })
    }

    fn project_directory(&self) -> Option<PathBuf> {
        self.sources.project.as_ref().map(|project| project.join(PROJECT_DIRECTORY))
    }

    fn unknown(&self, name: &str) -> PluginError {
        let types = self.types();
        let names = types.iter().flat_map(|info| std::iter::once(&info.name).chain(&info.aliases));
        let nearest = names
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, known)| known.clone());
        let pins = self.sources.pins.as_ref().filter(|pins| pins.digests.contains_key(name));
        let pinned_in = pins.map(|pins| pins.lockfile.clone());
        PluginError::Unknown { name: name.to_owned(), nearest, types, pinned_in }
    }
}

//! Which plugin a `type` means.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::ScopedJoinHandle;

use indexmap::IndexMap;

use super::builtin::BuiltIn;
use super::{Engine, Origin, Plugin, PluginError, builtin, limits, paths};
use crate::fs::PathError;
use crate::model::Digest;

/// Where a project's plugins are, in the project's folder.
pub const PROJECT_FOLDER: &str = ".portkeeper/plugins";

/// Where plugins are looked for, the first place first. After these come the built-in ones, whose names only `explicit` can take
/// over.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// What the config says under `plugins`, by type.
    pub explicit: IndexMap<String, ExplicitPlugin>,
    /// The project's folder; its plugins are `.portkeeper/plugins/TYPE.wasm`.
    pub project: Option<PathBuf>,
    /// The folder of the user's plugins, `TYPE.wasm`.
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

/// The bytes of a plugin. Whether they may run, [`Catalogue::permit`] says.
pub(super) struct Candidate {
    pub(super) origin: Origin,
    pub(super) bytes: std::borrow::Cow<'static, [u8]>,
    pub(super) digest: Digest,
}

impl<'a> Catalogue<'a> {
    /// The plugins of these sources. Nothing is read yet.
    ///
    /// Plugins that came with a repository or a config are other people's code: `is_trusted` decides which of them may run.
    #[must_use]
    pub fn new(engine: &'a Engine, sources: Sources, is_trusted: IsTrusted<'a>) -> Self {
        Self { engine, sources, is_trusted }
    }

    /// The plugin of the type, compiled and asked who it is.
    ///
    /// # Errors
    /// There is none, it may not run, or it is no plugin that renders this type.
    pub fn find(&self, name: &str) -> Result<Plugin, PluginError> {
        self.load(name, self.resolve(name)?)
    }

    /// The plugins of several types, in their order. None runs before all are there and may run.
    ///
    /// # Errors
    /// As for [`find`](Self::find): the first error in the order of the names.
    pub fn find_all(&self, names: &[&str]) -> Result<Vec<Plugin>, PluginError> {
        let mut distinct = Vec::new();
        for &name in names {
            if distinct.iter().all(|(other, _)| *other != name) {
                distinct.push((name, self.resolve(name)?));
            }
        }
        // Side by side, because loading compiled code is mostly copying, and compiling does not keep all cores busy all the time.
        let loaded: Vec<_> = std::thread::scope(|scope| {
            let load = |(name, candidate)| (name, scope.spawn(move || self.load(name, candidate)));
            let threads: Vec<_> = distinct.into_iter().map(load).collect();
            let join = |(name, thread): (_, ScopedJoinHandle<'_, _>)| {
                (name, thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            };
            threads.into_iter().map(join).collect()
        });
        let plugin = |(name, plugin): (_, Result<Plugin, _>)| Ok((name, plugin?));
        let plugins = loaded.into_iter().map(plugin).collect::<Result<BTreeMap<_, _>, _>>()?;
        Ok(names.iter().map(|name| plugins[name].clone()).collect())
    }

    /// All types that there are, the built-in ones first. Nothing is run: a plugin in a folder stands under its file's name.
    #[must_use]
    pub fn types(&self) -> Vec<TypeInfo> {
        let built_in = builtin::BUILT_IN.iter().map(|plugin| TypeInfo {
            name: plugin.types[0].to_owned(),
            aliases: plugin.types[1..].iter().map(|&alias| alias.to_owned()).collect(),
            origin: Origin::BuiltIn(plugin.types[0]),
        });
        let explicit =
            self.sources.explicit.iter().map(|(name, plugin)| (name.clone(), Origin::Explicit(plugin.path.clone())));
        let files = |folder: Option<PathBuf>| folder.into_iter().flat_map(|folder| plugin_files(&folder));
        let project = files(self.project_folder()).map(|(name, path)| (name, Origin::Project(path)));
        let user = files(self.sources.user.clone()).map(|(name, path)| (name, Origin::User(path)));
        let mut types = built_in.collect::<Vec<_>>();
        for (name, origin) in explicit.chain(project).chain(user) {
            let is_explicit = matches!(origin, Origin::Explicit(_));
            match types.iter_mut().find(|info| info.name == name) {
                Some(info) if is_explicit => info.origin = origin,
                Some(_) => {}
                None if !is_explicit && builtin::of_type(&name).is_some() => {}
                None => types.push(TypeInfo { name, aliases: Vec::new(), origin }),
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
            let bytes = plugin.component;
            return Ok(Candidate {
                origin: Origin::BuiltIn(plugin.types[0]),
                bytes: bytes.into(),
                digest: Digest::of(bytes),
            });
        }
        if !paths::is_type_name(name) {
            return Err(self.unknown(name));
        }
        let file = |folder: PathBuf| folder.join(format!("{name}.wasm"));
        let places = [
            self.project_folder().map(file).map(Origin::Project),
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
        let (name, path, lockfile) = (name.to_owned(), path.to_owned(), pins.lockfile.clone());
        match pins.digests.get(&name) {
            Some(&pinned) if pinned != candidate.digest => {
                Err(PluginError::OtherThanPinned { name, path, lockfile, pinned, found: candidate.digest })
            }
            None if matches!(candidate.origin, Origin::Project(_)) => Err(PluginError::NotPinned { path, lockfile }),
            _ => Ok(()),
        }
    }

    /// What lies in the user's own folder needs no further word, under whatever path a config names it.
    fn trusted(&self, path: &Path, digest: Digest) -> Result<(), PluginError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let users_own = self.sources.user.as_ref().and_then(|folder| fs::canonicalize(folder).ok());
        if users_own.is_some_and(|folder| path.starts_with(folder)) || (self.is_trusted)(&path, &digest) {
            return Ok(());
        }
        Err(PluginError::NotTrusted { path, digest })
    }

    fn load(&self, name: &str, candidate: Candidate) -> Result<Plugin, PluginError> {
        let Candidate { origin, bytes, digest } = candidate;
        let compiled = match origin {
            Origin::BuiltIn(name) => builtin::of_type(name).and_then(BuiltIn::compiled),
            _ => None,
        };
        let loaded =
            self.engine.load(&bytes, &digest, compiled).map_err(|error| PluginError::of_load(error, origin.clone()))?;
        let serves = &loaded.metadata().output_types;
        if !serves.iter().any(|other| other == name) {
            return Err(PluginError::OtherTypes { name: name.to_owned(), origin, serves: serves.clone() });
        }
        Ok(Plugin { loaded, origin, digest })
    }

    fn project_folder(&self) -> Option<PathBuf> {
        self.sources.project.as_ref().map(|project| project.join(PROJECT_FOLDER))
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

/// The file's bytes, read once: what is hashed is what is trusted is what runs. None when there is no such file.
pub(super) fn read(name: &str, origin: Origin) -> Result<Option<Candidate>, PluginError> {
    let path = origin.path().unwrap_or(Path::new(""));
    let bytes = match read_limited(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => {
            let source = PathError { path: path.to_owned(), source };
            return Err(PluginError::Unreadable { name: name.to_owned(), source });
        }
    };
    let Some(bytes) = bytes else {
        let reason = format!("it is larger than {} MiB", limits::FILE >> 20);
        return Err(PluginError::Unusable { origin, reason, help: None });
    };
    let digest = Digest::of(&bytes);
    Ok(Some(Candidate { origin, bytes: bytes.into(), digest }))
}

/// None when there is more than a plugin may have.
fn read_limited(path: &Path) -> io::Result<Option<Vec<u8>>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limits::FILE + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limits::FILE).then_some(bytes))
}

/// The files of a folder of plugins, sorted, each with the type that it is named after.
pub fn plugin_files(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found = entries
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".wasm")?.to_owned();
            paths::is_type_name(&name).then_some((name, path))
        })
        .collect::<Vec<_>>();
    found.sort();
    found.into_iter()
}

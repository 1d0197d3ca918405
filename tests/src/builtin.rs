//! The built-in formats: where their sources and their committed components are, and the digests that tie the two together.
//!
//! `rebuild-plugins` writes the digests, and a test that needs no WebAssembly toolchain compares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The built-in formats: each is a directory of `plugins/`.
pub const FORMATS: [&str; 9] =
    ["docker-compose", "env", "json", "properties", "runtime-js", "shell", "template", "toml", "yaml"];

/// What stands beside a component: what it was built from, what came out, and what built it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// SHA-256 of all that [`sources`] takes into account.
    pub sources: String,
    /// SHA-256 of the component.
    pub component: String,
    /// What `rustc --version` says. Another version makes other bytes.
    pub rustc: String,
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "sources: {}\ncomponent: {}\nrustc: {}", self.sources, self.component, self.rustc)
    }
}

impl Digest {
    /// Reads what [`Display`](fmt::Display) writes; none when a line is missing.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        Some(Self { sources: field("sources: ")?, component: field("component: ")?, rustc: field("rustc: ")? })
    }
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_owned()
}

/// Where the committed component of a format is.
#[must_use]
pub fn component_path(root: &Path, format: &str) -> PathBuf {
    root.join(format!("host/builtin/{format}.wasm"))
}

/// Where the committed digest of a format is.
#[must_use]
pub fn digest_path(root: &Path, format: &str) -> PathBuf {
    root.join(format!("host/builtin/{format}.digest"))
}

/// SHA-256 as lower-case hexadecimal digits.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of a format's sources: its own files and the SDK's but for the tests, the profiles that it is built with, and
/// what the lock file says about its dependencies.
///
/// # Errors
/// What went wrong while reading one of them.
pub fn sources(root: &Path, format: &str) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut part = |name: &str, bytes: &[u8]| {
        for piece in [name.as_bytes(), bytes] {
            hash.update(u64::try_from(piece.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(piece);
        }
    };
    for path in source_files(root, format)? {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        part(&name, &std::fs::read(&path)?);
    }
    let manifest = read_toml(&root.join("Cargo.toml"))?;
    for profile in ["release", "dist", "plugin"] {
        part(profile, manifest["profile"][profile].to_string().as_bytes());
    }
    for line in dependencies(root, format)? {
        part("dependency", line.as_bytes());
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn source_files(root: &Path, format: &str) -> io::Result<BTreeSet<PathBuf>> {
    let plugin = root.join("plugins").join(format);
    let sdk = root.join("plugin-sdk");
    let mut files = BTreeSet::from([plugin.join("Cargo.toml"), sdk.join("Cargo.toml")]);
    for directory in [plugin.join("src"), sdk.join("src"), sdk.join("wit")] {
        add_files(&directory, &mut files)?;
    }
    Ok(files)
}

/// Adds the files of a directory and the directories in it. A test is no source of what is built.
fn add_files(directory: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            add_files(&path, files)?;
        } else if path.file_name() != Some("tests.rs".as_ref()) {
            files.insert(path);
        }
    }
    Ok(())
}

/// Name, version and checksum of every package that the format needs, directly or not, sorted.
fn dependencies(root: &Path, format: &str) -> io::Result<BTreeSet<String>> {
    let lock = read_toml(&root.join("Cargo.lock"))?;
    let mut packages: BTreeMap<&str, Vec<&toml::Value>> = BTreeMap::new();
    for package in lock["package"].as_array().into_iter().flatten() {
        packages.entry(text(package, "name")).or_default().push(package);
    }
    let mut open = direct_dependencies(&root.join("plugins").join(format))?;
    open.extend(direct_dependencies(&root.join("plugin-sdk"))?);
    open.retain(|name| name != "portkeeper-plugin-sdk");
    let mut found = BTreeSet::new();
    while let Some(wanted) = open.pop() {
        // `name`, or `name version` where the lock file has several.
        let (name, version) = wanted.split_once(' ').map_or((wanted.as_str(), None), |(name, rest)| (name, Some(rest)));
        for package in packages.get(name).into_iter().flatten() {
            let its_version = text(package, "version");
            if version.is_some_and(|version| version.split(' ').next() != Some(its_version)) {
                continue;
            }
            if found.insert(format!("{name} {its_version} {}", text(package, "checksum"))) {
                let more = package.get("dependencies").and_then(toml::Value::as_array).into_iter().flatten();
                open.extend(more.filter_map(|name| name.as_str().map(str::to_owned)));
            }
        }
    }
    Ok(found)
}

/// What a package's manifest names, but for what only its tests use.
fn direct_dependencies(directory: &Path) -> io::Result<Vec<String>> {
    let manifest = read_toml(&directory.join("Cargo.toml"))?;
    let targets = manifest.get("target").and_then(toml::Value::as_table).into_iter().flat_map(|table| table.values());
    let tables = [&manifest].into_iter().chain(targets).filter_map(|table| table.get("dependencies")?.as_table());
    Ok(tables.flat_map(|table| table.keys().cloned()).collect())
}

fn text<'a>(table: &'a toml::Value, key: &str) -> &'a str {
    table.get(key).and_then(toml::Value::as_str).unwrap_or_default()
}

fn read_toml(path: &Path) -> io::Result<toml::Value> {
    let named = |error: String| io::Error::other(format!("{}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    toml::from_str(&text).map_err(|error| named(error.to_string()))
}

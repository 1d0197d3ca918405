//! A crate to begin with.

use std::fs;
use std::path::{Path, PathBuf};

use super::ScaffoldError;
use crate::fs::PathContext;
use crate::plugins::{is_built_in, is_type_name};

/// The files of a new crate, by their place in it.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/manifest.toml")),
    (".gitignore", include_str!("template/gitignore")),
    ("README.md", include_str!("template/readme.md")),
    ("src/lib.rs", include_str!("template/lib.rs.txt")),
    ("fixtures/new/request.json", include_str!("template/new/request.json")),
    ("fixtures/new/expected/ports.{{name}}", include_str!("template/new/expected.txt")),
    ("fixtures/update/request.json", include_str!("template/update/request.json")),
    ("fixtures/update/existing/ports.{{name}}", include_str!("template/update/existing.txt")),
    ("fixtures/update/expected/ports.{{name}}", include_str!("template/update/expected.txt")),
    ("fixtures/bad-name/request.json", include_str!("template/bad-name/request.json")),
    ("fixtures/bad-name/failure.json", include_str!("template/bad-name/failure.json")),
];

/// Where a new crate gets the SDK from.
#[derive(Debug, Clone, Copy)]
pub enum Sdk<'a> {
    /// From the registry, a release that fits this portkeeper.
    Released,
    /// From this directory.
    Directory(&'a Path),
}

/// Makes a crate for the type `name` in the directory, which must not be there yet: it builds, and its tests pass. Gives back its files.
///
/// # Errors
/// [`ScaffoldError`]; a directory that was made by then is removed.
pub fn scaffold(name: &str, directory: &Path, sdk: Sdk<'_>) -> Result<Vec<PathBuf>, ScaffoldError> {
    if !is_type_name(name) {
        return Err(ScaffoldError::BadName(name.to_owned()));
    }
    if is_built_in(name) {
        return Err(ScaffoldError::BuiltIn(name.to_owned()));
    }
    let sdk = dependency(sdk)?;
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent).at(parent)?;
    }
    match fs::create_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(ScaffoldError::Exists(directory.to_owned()));
        }
        made => made.at(directory)?,
    }
    let fill =
        |text: &str| text.replace("{{name}}", name).replace("{{type}}", &rust_type(name)).replace("{{sdk}}", &sdk);
    let write = |(path, text): &(&str, &str)| {
        let path = directory.join(fill(path));
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent).at(parent)?;
        fs::write(&path, fill(text)).at(&path)?;
        Ok(path)
    };
    FILES.iter().map(write).collect::<Result<_, _>>().inspect_err(|_| {
        let _ = fs::remove_dir_all(directory);
    })
}

/// The SDK as a manifest names it.
fn dependency(sdk: Sdk<'_>) -> Result<String, ScaffoldError> {
    let directory = match sdk {
        Sdk::Released => {
            // The SDK goes with the host: its release has the same major and minor number.
            let version = env!("CARGO_PKG_VERSION").rsplit_once('.').map_or("0.1", |(release, _)| release);
            return Ok(format!("\"{version}\""));
        }
        Sdk::Directory(directory) => directory,
    };
    let directory = directory.canonicalize().at(directory)?;
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
    if !manifest.lines().any(|line| line.replace(' ', "") == "name=\"portkeeper-plugin-sdk\"") {
        return Err(ScaffoldError::NoSdk(directory));
    }
    let path = directory.to_str().ok_or_else(|| ScaffoldError::NotText(directory.clone()))?;
    // A basic string of TOML has the escapes of JSON.
    Ok(format!("{{ path = {} }}", serde_json::Value::from(path)))
}

/// `my-format` as the name of a type in Rust: `MyFormat`.
fn rust_type(name: &str) -> String {
    let capital = |word: &str| {
        let mut chars = word.chars();
        chars.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    };
    let name: String = name.split(['-', '_']).map(capital).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("Format{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_made_once_and_nothing_is_left_to_fill_in() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a/my-format");
        let files = scaffold("my-format", &place, Sdk::Released).unwrap();
        assert_eq!(files.len(), FILES.len());
        for file in &files {
            let text = fs::read_to_string(file).unwrap();
            assert!(!text.contains("{{") && !file.to_string_lossy().contains("{{"), "{}: {text}", file.display());
        }
        let manifest = fs::read_to_string(place.join("Cargo.toml")).unwrap();
        assert!(manifest.contains("portkeeper-plugin-sdk = \"0.1\""), "{manifest}");
        assert!(fs::read_to_string(place.join("src/lib.rs")).unwrap().contains("impl Plugin for MyFormat"));
        assert!(matches!(scaffold("my-format", &place, Sdk::Released), Err(ScaffoldError::Exists(_))));
    }

    #[test]
    fn names_and_sdks_that_cannot_be_are_refused_before_anything_is_made() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("x");
        for name in ["", "a b", "../x", "-x"] {
            assert!(matches!(scaffold(name, &place, Sdk::Released), Err(ScaffoldError::BadName(_))), "{name}");
        }
        assert!(matches!(scaffold("env", &place, Sdk::Released), Err(ScaffoldError::BuiltIn(_))));
        assert!(matches!(scaffold("x", &place, Sdk::Directory(directory.path())), Err(ScaffoldError::NoSdk(_))));
        assert!(!place.exists());
    }

    #[test]
    fn a_type_of_rust_has_a_name_of_rust() {
        assert_eq!(rust_type("my-format_2"), "MyFormat2");
        assert_eq!(rust_type("7z"), "Format7z");
    }
}

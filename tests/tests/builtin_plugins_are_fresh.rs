//! The committed components of the built-in formats are built from the sources beside them. No WebAssembly toolchain is needed to
//! see that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portkeeper_tests::builtin::{self, Digest, FORMATS};

const REBUILD: &str = "cargo run -p portkeeper-tests --bin rebuild-plugins";

#[test]
fn every_component_matches_its_sources() {
    let root = builtin::root();
    for format in FORMATS {
        let text = std::fs::read_to_string(builtin::digest_path(&root, format)).expect("a digest is committed");
        let digest = Digest::read(&text).expect("the digest is complete");
        let component = std::fs::read(builtin::component_path(&root, format)).expect("a component is committed");
        assert_eq!(
            digest.component,
            builtin::sha256(&component),
            "{format}.wasm is not the one of its digest: {REBUILD}"
        );
        let sources = builtin::sources(&root, format).expect("the sources can be read");
        assert_eq!(digest.sources, sources, "the sources of {format} have changed since it was built: {REBUILD}");
    }
}

#[test]
fn every_directory_of_plugins_is_a_built_in_format() {
    let directories = std::fs::read_dir(builtin::root().join("plugins")).expect("the plugins are there");
    let mut names: Vec<_> = directories.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, FORMATS);
}

#[test]
fn no_component_names_the_machine_that_built_it() {
    for format in FORMATS {
        let bytes = std::fs::read(builtin::component_path(&builtin::root(), format)).expect("a component is committed");
        let text = String::from_utf8_lossy(&bytes);
        for place in ["/root/", "/home/", "/Users/", "/usr/lib/", ".cargo/"] {
            assert!(!text.contains(place), "{format}.wasm holds a path with {place}");
        }
    }
}

#[test]
fn host_and_sdk_speak_the_same_interface() {
    let root = builtin::root();
    assert_eq!(interfaces(&root.join("host/wit")), interfaces(&root.join("plugin-sdk/wit")));
}

/// The interface files of a directory. What explains them beside them is each directory's own.
fn interfaces(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("the directory is there") {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wit") {
                let name = path.strip_prefix(directory).unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

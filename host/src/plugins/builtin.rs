//! The formats that portkeeper brings along: the components that `plugins/*` were built into, and native code of some of them.

use crate::model::Digest;

/// A plugin that is part of portkeeper. The build script deflated its bytes (RFC 1951): once they are compiled they are in the cache,
/// so few commands ever need them.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// The values of an output's `type` that it renders, its own name first. The same as its `describe` says, kept here so
    /// that finding it runs nothing.
    pub(super) types: &'static [&'static str],
    /// The component's SHA-256, as digits.
    digest: &'static str,
    /// The component, deflated.
    component: &'static [u8],
    /// What the build script compiled it to, deflated; empty where it could not or need not.
    code: &'static [u8],
}

impl BuiltIn {
    /// The component's digest.
    pub(super) fn digest(&self) -> Digest {
        self.digest.parse().expect("the build script wrote it")
    }

    /// The component.
    pub(super) fn component(&self) -> Vec<u8> {
        inflate(self.component)
    }

    /// What the build script compiled the component to, where it could.
    pub(super) fn code(&self) -> Option<Vec<u8>> {
        (!self.code.is_empty()).then(|| inflate(self.code))
    }
}

fn inflate(deflated: &[u8]) -> Vec<u8> {
    miniz_oxide::inflate::decompress_to_vec(deflated).expect("the build script deflated it")
}

macro_rules! made {
    ($file:literal, $extension:literal) => {
        concat!(env!("OUT_DIR"), "/", $file, $extension)
    };
}

macro_rules! built_in {
    ($file:literal, $($type:literal),+) => {
        built_in!($file with include_bytes!(made!($file, ".code")), $($type),+)
    };
    // Native code takes five times the room of a component, so formats that fewer people use are compiled on their first use and kept in
    // the cache, like those of third parties.
    (on first use: $file:literal, $($type:literal),+) => {
        built_in!($file with &[], $($type),+)
    };
    ($file:literal with $code:expr, $($type:literal),+) => {
        BuiltIn {
            types: &[$($type),+],
            digest: include_str!(made!($file, ".digest")),
            component: include_bytes!(made!($file, ".component")),
            code: $code,
        }
    };
}

/// All of them.
pub(super) static BUILT_IN: &[BuiltIn] = &[
    built_in!("env", "env", "dotenv", "compose_env"),
    built_in!("json", "json", "package_json"),
    built_in!("runtime-js", "runtime_js", "js"),
    built_in!("docker-compose", "docker-compose", "docker_compose", "compose_override"),
    built_in!(on first use: "yaml", "yaml", "yml"),
    built_in!(on first use: "toml", "toml"),
    built_in!(on first use: "shell", "shell", "sh", "envrc"),
    built_in!(on first use: "template", "template", "jinja"),
    built_in!(on first use: "properties", "properties", "ini"),
];

/// Whether the type is built in.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    of_type(name).is_some()
}

/// The built-in plugin of a type.
pub(super) fn of_type(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|plugin| plugin.types.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::{Catalogue, Engine, Limits, Sources};

    #[test]
    fn the_table_says_what_the_plugins_say() {
        let engine = Engine::new(None, Limits::default());
        let catalogue = Catalogue::new(&engine, Sources::default(), &|_, _| false);
        for built_in in BUILT_IN {
            let plugin = catalogue.find(built_in.types[0]).unwrap();
            assert_eq!(plugin.metadata().output_types, built_in.types);
            assert_eq!(*plugin.digest(), Digest::of(&built_in.component()));
        }
    }
}

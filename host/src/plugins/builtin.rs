//! The formats that portkeeper brings along, embedded as the components that `plugins/*` were built into.

/// A plugin that is part of portkeeper.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// The values of an output's `type` that it renders, its own name first. The same as its `describe` says, kept here so
    /// that finding it runs nothing.
    pub(super) types: &'static [&'static str],
    /// The component.
    pub(super) component: &'static [u8],
}

/// All of them.
pub(super) static BUILT_IN: &[BuiltIn] = &[
    BuiltIn { types: &["env", "dotenv", "compose_env"], component: include_bytes!("../../builtin/env.wasm") },
    BuiltIn { types: &["json", "package_json"], component: include_bytes!("../../builtin/json.wasm") },
    BuiltIn { types: &["runtime_js", "js"], component: include_bytes!("../../builtin/runtime-js.wasm") },
    BuiltIn {
        types: &["docker-compose", "docker_compose", "compose_override"],
        component: include_bytes!("../../builtin/docker-compose.wasm"),
    },
];

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
        }
    }
}

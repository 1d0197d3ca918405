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
pub(super) static BUILT_IN: &[BuiltIn] = &[];

/// The built-in plugin of a type.
pub(super) fn of_type(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|plugin| plugin.types.contains(&name))
}

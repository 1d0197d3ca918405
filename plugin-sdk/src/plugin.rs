//! The trait of a plugin, and its way into a component.

use crate::{Failure, Metadata, Request, Response};

/// An output format.
pub trait Plugin {
    /// Who the plugin is and which output types it renders. Called before anything is reserved or written.
    fn describe() -> Metadata;

    /// The whole new text of the target. The host writes it, shows it as a diff, or compares it with what is there.
    ///
    /// # Errors
    /// A [`Failure`] when the options, the map, the target or an input cannot be used. Nothing is written then.
    fn render(request: &Request) -> Result<Response, Failure>;
}

/// Exports a [`Plugin`] from the component that this crate is built to. Does nothing on other targets than WebAssembly.
#[cfg(target_arch = "wasm32")]
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        #[allow(unsafe_code, reason = "the entry points of a component are called from outside of Rust")]
        const _: () = {
            type Exported = $crate::guest::Adapter<$plugin>;
    $crate::guest::bindings::export!(Exported with_types_in $crate::guest::bindings);
        };
    };
}

/// Exports a [`Plugin`] from the component that this crate is built to. Does nothing on other targets than WebAssembly.
#[cfg(not(target_arch = "wasm32"))]
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        const _: fn() -> $crate::Metadata = <$plugin as $crate::Plugin>::describe;
    };
}

//! The bridge between a [`Plugin`](crate::Plugin) and the component that the host runs.

use std::marker::PhantomData;

use crate::{Diagnostic, Failure, Metadata, OutFile, Plugin, Request, Reservation, Response, TextFile};

/// What wit-bindgen makes of the interface.
#[allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit/v0.1",
        world: "output-plugin",
        pub_export_macro: true,
        default_bindings_module: "portkeeper_plugin_sdk::guest::bindings",
    });
}

use bindings::exports::portkeeper::output::plugin as exports;
use bindings::portkeeper::output::types as wit;

/// A plugin as the component's export.
#[derive(Debug)]
pub struct Adapter<P>(PhantomData<P>);

impl<P: Plugin + 'static> exports::Guest for Adapter<P> {
    fn describe() -> wit::Metadata {
        P::describe().into()
    }

    fn render(request: wit::Request) -> Result<wit::Response, wit::Failure> {
        P::render(&request.into()).map(Into::into).map_err(Into::into)
    }
}

impl From<wit::Request> for Request {
    fn from(from: wit::Request) -> Self {
        Self {
            project: from.project,
            reservations: from.reservations.into_iter().map(Into::into).collect(),
            entries: from.entries,
            map: from.map,
            target: from.target.into(),
            inputs: from.inputs.into_iter().map(Into::into).collect(),
            options: from.options,
            attrs: from.attrs,
        }
    }
}

impl From<wit::Reservation> for Reservation {
    fn from(from: wit::Reservation) -> Self {
        Self { name: from.name, port: from.port, protocol: from.protocol, host: from.host, attrs: from.attrs }
    }
}

impl From<wit::TextFile> for TextFile {
    fn from(from: wit::TextFile) -> Self {
        Self { path: from.path, text: from.text }
    }
}

impl From<Response> for wit::Response {
    fn from(from: Response) -> Self {
        Self {
            files: from.files.into_iter().map(Into::into).collect(),
            diagnostics: from.diagnostics.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<OutFile> for wit::OutFile {
    fn from(from: OutFile) -> Self {
        Self { path: from.path, text: from.text, sensitive: from.sensitive }
    }
}

impl From<Diagnostic> for wit::Diagnostic {
    fn from(from: Diagnostic) -> Self {
        Self { severity: from.severity.as_str().to_owned(), message: from.message, path: from.path, line: from.line }
    }
}

impl From<Failure> for wit::Failure {
    fn from(from: Failure) -> Self {
        Self { code: from.code, message: from.message, help: from.help, line: from.line }
    }
}

impl From<Metadata> for wit::Metadata {
    fn from(from: Metadata) -> Self {
        Self {
            name: from.name,
            version: from.version,
            description: from.description,
            output_types: from.output_types,
            default_path: from.default_path,
            options_schema: from.options_schema,
            attrs: from.attrs,
        }
    }
}

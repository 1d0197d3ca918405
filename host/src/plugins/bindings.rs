//! Version 0.1 of the interface, as wasmtime generates it from `wit/v0.1`, and its translation into the plain types of this
//! room. A further version gets a further module like this one: `wit/README.md` says how the two will stand beside each other.

use super::{text, types as plain};

mod generated {
    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, reason = "wasmtime generates it")]

    wasmtime::component::bindgen!({
        path: "wit/v0.1",
        world: "output-plugin",
        imports: { default: trappable },
        // The cache keeps what plugins say of themselves.
        additional_derives: [serde::Serialize, serde::Deserialize],
    });
}

pub(super) use generated::exports::portkeeper::output::plugin::{Failure, Metadata, Request, Response};
pub(super) use generated::portkeeper;
pub(super) use generated::{OutputPlugin, OutputPluginPre};

use portkeeper::output::types;

impl From<&plain::Request> for Request {
    fn from(request: &plain::Request) -> Self {
        let file = |file: &plain::TextFile| types::TextFile { path: file.path.clone(), text: file.text.clone() };
        let reservation = |port: &plain::ReservedPort| types::Reservation {
            name: port.name.clone(),
            port: port.port,
            protocol: port.protocol.clone(),
            host: port.host.clone(),
            attrs: port.attrs.clone(),
        };
        Self {
            project: request.project.clone(),
            reservations: request.reservations.iter().map(reservation).collect(),
            entries: request.entries.clone(),
            map: request.map.clone(),
            target: file(&request.target),
            inputs: request.inputs.iter().map(file).collect(),
            options: request.options.clone(),
            attrs: request.attrs.clone(),
        }
    }
}

impl From<types::OutFile> for plain::OutFile {
    fn from(file: types::OutFile) -> Self {
        Self { path: file.path, text: file.text, sensitive: file.sensitive }
    }
}

impl From<types::Diagnostic> for plain::Diagnostic {
    fn from(diagnostic: types::Diagnostic) -> Self {
        let severity = if diagnostic.severity == "info" { plain::Severity::Info } else { plain::Severity::Warning };
        Self {
            severity,
            message: text::message(&diagnostic.message),
            path: diagnostic.path.as_deref().map(text::line),
            line: diagnostic.line,
        }
    }
}

impl From<Failure> for plain::Failure {
    fn from(failure: Failure) -> Self {
        Self {
            code: text::line(&failure.code),
            message: text::message(&failure.message),
            help: failure.help.as_deref().map(text::message),
            line: failure.line,
        }
    }
}

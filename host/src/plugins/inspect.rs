//! What a plugin's file is, found out before anything of it is compiled or run.

use wasmparser::{ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentTypeRef, Parser, Payload};

use super::packages::packages;
use super::release::{is_supported, other_version};
use super::size::Size;
use super::{limits, text};

/// The package of the interface.
const PACKAGE: &str = "portkeeper:output/";

/// Why a file is no plugin for this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// What is wrong with it.
    pub(super) reason: String,
    /// What its author or user can do.
    pub(super) help: Option<String>,
}

impl Refusal {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None }
    }

    pub(super) fn with_help(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: Some(help.into()) }
    }
}

/// What WebAssembly files there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component.
    Component,
    /// A core module, which `wit-component` may turn into a component.
    Module,
}

/// What the first bytes say. Only WebAssembly in its binary format passes: not its text format, and above all nothing that is
/// compiled already, because running that would be running native code.
pub(super) fn kind(bytes: &[u8]) -> Result<Kind, Refusal> {
    let build = "a plugin is the .wasm file that its build leaves";
    // Core specification, section 5.5.16; component model, Binary.md.
    match bytes {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Ok(Kind::Module),
        [b'\0', b'a', b's', b'm', 13, 0, 1, 0, ..] => Ok(Kind::Component),
        [b'\0', b'a', b's', b'm', ..] => Err(Refusal::new("it is WebAssembly of an unknown version, or cut off")),
        [0x7f, b'E', b'L', b'F', ..] => {
            Err(Refusal::with_help("it is compiled native code, which is never run", build))
        }
        _ if bytes.trim_ascii_start().starts_with(b"(") => {
            Err(Refusal::with_help("it is WebAssembly in text format", "translate it with `wasm-tools parse`"))
        }
        _ => Err(Refusal::with_help("it is not WebAssembly", build)),
    }
}

/// Whether the bytes look like a plugin: WebAssembly in its binary format.
#[must_use]
pub fn is_plugin(bytes: &[u8]) -> bool {
    kind(bytes).is_ok()
}

/// What a component says that it needs and offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The version of `portkeeper:output` that it speaks.
    pub version: String,
    /// What it imports: the interface's own and nothing else.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

/// The interface of a component that can be compiled and linked here: it imports nothing but the interface's own, exports a version
/// that this host serves, does not unfold into more than it seems, and is not too large to compile.
pub(super) fn component(bytes: &[u8]) -> Result<Interface, Refusal> {
    let mut found = Findings::default();
    for payload in Parser::new(0).parse_all(bytes) {
        found.note(payload.map_err(broken)?).map_err(broken)?;
    }
    found.judge()
}

/// Whether the core module may be made a component: it is not too large, and imports nothing from WASI. What it does import would only be
/// found out by names that mean nothing to the user.
pub(super) fn module(bytes: &[u8]) -> Result<(), Refusal> {
    let mut size = Size::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(broken)?;
        size.note(&payload).map_err(broken)?;
        let Payload::ImportSection(imports) = payload else { continue };
        for import in imports.into_imports() {
            let import = import.map_err(broken)?;
            if import.module.starts_with("wasi") {
                return Err(foreign_import(import.module));
            }
        }
    }
    size.judge()?;
    let packages = packages(bytes).map_err(broken)?;
    if packages.len() > 1 {
        let names = packages.into_iter().collect::<Vec<_>>().join(", ");
        let reason = format!("its world is made of several packages: {}", text::line(&names));
        return Err(Refusal::with_help(reason, "a plugin's world is that of portkeeper:output alone"));
    }
    Ok(())
}

/// What a parser or compiler found wrong with a file.
pub(super) fn broken(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(format!("its WebAssembly is broken: {}", text::line(&format!("{error:#}"))))
}

#[derive(Default)]
struct Findings {
    /// How many modules and components lie around what is being read.
    depth: usize,
    imports: Vec<String>,
    exports: Vec<String>,
    instantiations: usize,
    passes_components: bool,
    size: Size,
}

impl Findings {
    fn note(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        self.size.note(&payload)?;
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.depth += 1,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import?;
                    self.passes_components |= matches!(import.ty, ComponentTypeRef::Component(_));
                    if self.depth == 0 {
                        self.imports.push(import.name.name.to_owned());
                    }
                }
            }
            Payload::ComponentExportSection(exports) if self.depth == 0 => {
                for export in exports {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances {
                    self.instantiations += usize::from(matches!(instance?, ComponentInstance::Instantiate { .. }));
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases {
                    let component = ComponentExternalKind::Component;
                    self.passes_components |=
                        matches!(alias?, ComponentAlias::InstanceExport { kind, .. } if kind == component);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn judge(self) -> Result<Interface, Refusal> {
        if let Some(import) = self.imports.iter().find(|import| !import.starts_with(PACKAGE)) {
            return Err(foreign_import(import));
        }
        let plugin = self.exports.iter().find_map(|export| export.strip_prefix(PACKAGE)?.strip_prefix("plugin@"));
        let Some(version) = plugin else {
            let reason = format!("it does not export `{PACKAGE}plugin`, so it is not a portkeeper plugin");
            return Err(Refusal::with_help(reason, "build it with portkeeper-plugin-sdk"));
        };
        // The imports are of the same package as the export, so they are looked at together.
        let versions = self.imports.iter().filter_map(|import| import.rsplit_once('@').map(|(_, version)| version));
        if let Some(unknown) = versions.chain([version]).find(|version| !is_supported(version)) {
            return Err(other_version(unknown));
        }
        // A component that is handed on as a value could multiply without being written out, so counting would prove nothing.
        if self.instantiations > limits::INSTANTIATIONS || self.passes_components {
            return Err(Refusal::new(format!(
                "it is composed of more components than a plugin may be ({} instances)",
                limits::INSTANTIATIONS
            )));
        }
        self.size.judge()?;
        let clean = |names: &[String]| names.iter().map(|name| text::line(name)).collect();
        Ok(Interface { version: version.to_owned(), imports: clean(&self.imports), exports: clean(&self.exports) })
    }
}

/// The import of something that this host will never offer. Also for the imports of a core module.
pub(super) fn foreign_import(import: &str) -> Refusal {
    let reason = format!("it imports `{}`, and a plugin has no access to anything but its log", text::line(import));
    let help = if import.starts_with("wasi") {
        "build it without WASI: Rust for wasm32-unknown-unknown instead of wasm32-wasip1 or wasm32-wasip2, JavaScript with \
         componentize-js and all of `disableFeatures`, Python with componentize-py and `--stub-wasi`"
    } else {
        "remove what needs the import"
    };
    Refusal::with_help(reason, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_binary_webassembly_is_a_plugin() {
        assert_eq!(kind(b"\0asm\x01\0\0\0"), Ok(Kind::Module));
        assert_eq!(kind(b"\0asm\x0d\0\x01\0"), Ok(Kind::Component));
        for (bytes, word) in [
            (&b""[..], "not WebAssembly"),
            (b"#!/bin/sh\n", "not WebAssembly"),
            (b"\0asm", "cut off"),
            (b"\0asm\x02\0\0\0", "unknown version"),
            (b"\x7fELF\x02\x01\x01\0", "native code"),
            (b" \n(component)", "text format"),
        ] {
            let reason = kind(bytes).unwrap_err().reason;
            assert!(reason.contains(word), "{reason}");
        }
    }

    #[test]
    fn an_import_of_wasi_is_answered_with_how_to_avoid_it() {
        let refusal = foreign_import("wasi:cli/environment@0.2.6");
        assert!(refusal.reason.contains("`wasi:cli/environment@0.2.6`"));
        let help = refusal.help.unwrap();
        for word in ["wasm32-unknown-unknown", "disableFeatures", "--stub-wasi"] {
            assert!(help.contains(word), "{help}");
        }
    }
}

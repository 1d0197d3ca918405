//! Which packages of WIT a core module speaks of.
//!
//! wit-bindgen leaves a module's world in custom sections, as the types of a component. What makes a component of them puts the
//! packages into the order in which they need each other, and never ends when two of them do so mutually. So they are read here
//! before: the interface of plugins is one package, and needs no other.

use std::collections::BTreeSet;

use wasmparser::{ComponentType, ComponentTypeDeclaration, InstanceTypeDeclaration, Parser, Payload, Result};

/// The sections of wit-bindgen begin with this; what follows distinguishes several of them.
const SECTION: &str = "component-type";

/// The packages, as `namespace:name@version`.
///
/// # Errors
/// What is wrong with the module, or with a section that says what it speaks of.
pub(super) fn packages(module: &[u8]) -> Result<BTreeSet<String>> {
    let mut found = Packages::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CustomSection(section) if section.name().starts_with(SECTION) => found.read(section.data())?,
            _ => {}
        }
    }
    Ok(found.0)
}

#[derive(Default)]
struct Packages(BTreeSet<String>);

impl Packages {
    fn read(&mut self, section: &[u8]) -> Result<()> {
        for payload in Parser::new(0).parse_all(section) {
            match payload? {
                Payload::ComponentTypeSection(types) => types.into_iter().try_for_each(|each| {
                    self.of_type(&each?);
                    Ok(())
                })?,
                Payload::ComponentImportSection(imports) => imports.into_iter().try_for_each(|each| {
                    self.note(each?.name.name);
                    Ok(())
                })?,
                Payload::ComponentExportSection(exports) => exports.into_iter().try_for_each(|each| {
                    self.note(each?.name.name);
                    Ok(())
                })?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The parser has a limit on how deep types are nested.
    fn of_type(&mut self, of: &ComponentType<'_>) {
        match of {
            ComponentType::Component(declarations) => declarations.iter().for_each(|declaration| match declaration {
                ComponentTypeDeclaration::Type(nested) => self.of_type(nested),
                ComponentTypeDeclaration::Export { name, .. } => self.note(name.name),
                ComponentTypeDeclaration::Import(import) => self.note(import.name.name),
                ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Alias(_) => {}
            }),
            ComponentType::Instance(declarations) => declarations.iter().for_each(|declaration| match declaration {
                InstanceTypeDeclaration::Type(nested) => self.of_type(nested),
                InstanceTypeDeclaration::Export { name, .. } => self.note(name.name),
                InstanceTypeDeclaration::CoreType(_) | InstanceTypeDeclaration::Alias(_) => {}
            }),
            _ => {}
        }
    }

    /// `namespace:name/interface@version` is a name of a package; names without a colon are none.
    fn note(&mut self, name: &str) {
        if let Some((package, rest)) = name.split_once('/').filter(|(package, _)| package.contains(':')) {
            let version = rest.split_once('@').map(|(_, version)| format!("@{version}")).unwrap_or_default();
            self.0.insert(format!("{package}{version}"));
        }
    }
}

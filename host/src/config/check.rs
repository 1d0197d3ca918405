//! What the types alone cannot refuse: misspelled fields, and ports that do not go together.

use std::collections::HashMap;

use serde_json::{Map, Value};

use crate::document::{FieldPath, closest};
use crate::model::HoldKind;

use super::error::{Fault, Problem};
use super::fields::{DOCUMENT_FIELDS, Document, PLUGIN_FIELDS, PORT_FIELDS};

/// The most ports of one config. They last, so a slip, or the config of a foreign repository, must not take all that there are.
pub(super) const MOST_PORTS: usize = 1_000;

/// Refuses fields that there are none of. The fields of an output are left to its format.
pub(super) fn known_fields(tree: &Map<String, Value>) -> Result<(), Fault> {
    let top = FieldPath::root();
    only(tree, DOCUMENT_FIELDS, &top)?;
    for (index, port) in tree.get("ports").and_then(Value::as_array).into_iter().flatten().enumerate() {
        only_in(port, PORT_FIELDS, || top.clone().key("ports").index(index))?;
    }
    for (name, plugin) in tree.get("plugins").and_then(Value::as_object).into_iter().flatten() {
        only_in(plugin, PLUGIN_FIELDS, || top.clone().key("plugins").key(name))?;
    }
    Ok(())
}

fn only_in(value: &Value, allowed: &'static [&'static str], at: impl Fn() -> FieldPath) -> Result<(), Fault> {
    value.as_object().map_or(Ok(()), |object| only(object, allowed, &at()))
}

fn only(object: &Map<String, Value>, allowed: &'static [&'static str], at: &FieldPath) -> Result<(), Fault> {
    let Some(name) = object.keys().find(|name| !allowed.contains(&name.as_str())) else { return Ok(()) };
    let closest = closest(name, allowed.iter().copied());
    Err(Fault::new(at.clone().key(name), Problem::UnknownField { name: name.clone(), closest, allowed }))
}

/// Refuses a config without ports or with far too many, and keys that stand for two ports.
pub(super) fn document(document: &Document) -> Result<(), Fault> {
    let ports = FieldPath::root().key("ports");
    if document.ports.is_empty() {
        let help = "there is no port to reserve; a port needs at least a key: {\"key\": \"SERVICE_PORT\"}";
        return Err(Fault::invalid(ports, help));
    }
    if document.ports.len() > MOST_PORTS {
        let message = format!(
            "{} ports are more than the {MOST_PORTS} that one config may take from everybody else on this machine",
            document.ports.len()
        );
        return Err(Fault::invalid(ports, message));
    }
    let mut seen = HashMap::new();
    for (index, port) in document.ports.iter().enumerate() {
        let hold = port.hold.or(document.hold);
        let cannot = |kind: &HoldKind| port.protocol.iter().any(|protocol| kind.over(protocol) != *kind);
        if let Some(kind) = hold.filter(cannot) {
            let message =
                format!("UDP ports cannot be held in the way `{kind}`, only `exclusive`: say so at this port");
            return Err(Fault::invalid(ports.index(index).key("hold"), message));
        }
        if let Some(first) = seen.insert(&port.key, index) {
            let message = format!("the key {} is that of ports[{first}] already; every port needs its own", port.key);
            return Err(Fault::invalid(ports.index(index).key("key"), message));
        }
    }
    Ok(())
}

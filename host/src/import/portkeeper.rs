//! `.port_registry.json`: an object with an entry for each host and port.

use serde_json::Value;

use super::{Fault, Parsed, Place};
use crate::document::json_error;
use crate::model::{Host, Port};

/// Where the Python tool keeps its reservations: in the directory in which it is called.
pub const PORTKEEPER_FILE: &str = ".port_registry.json";

/// A reservation of the Python tool. (It also records when it was made, which says nothing about whether it is still wanted.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldReservation {
    /// The host, as it was written.
    pub host: Host,
    /// The port.
    pub port: Port,
    /// The owner.
    pub owner: Option<String>,
}

/// Reads a registry of the Python tool. What stands in an entry counts, and its key `HOST:PORT` where the entry is silent.
///
/// # Errors
/// The file is no JSON object: what the parser says.
pub fn parse_portkeeper(bytes: &[u8]) -> Result<Parsed<OldReservation>, String> {
    let object: serde_json::Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| json_error(&error))?;
    let mut parsed = Parsed::default();
    for (key, value) in object {
        let read = entry(&key, &value);
        let place = Place::Key(key);
        match read {
            Ok(entry) => parsed.entries.push((place, entry)),
            Err(why) => parsed.faults.push(Fault::new(place, why)),
        }
    }
    Ok(parsed)
}

fn entry(key: &str, value: &Value) -> Result<OldReservation, String> {
    let members = value.as_object().ok_or("it is not an object with host and port")?;
    let (host_of_key, port_of_key) = key.rsplit_once(':').unwrap_or((key, ""));
    let host = match members.get("host") {
        None => host_of_key,
        Some(host) => host.as_str().ok_or("its host is not text")?,
    };
    let port = match members.get("port") {
        None => port_of_key.parse().map_err(|error| format!("{error}"))?,
        Some(port) => serde_json::from_value(port.clone()).map_err(|_| format!("`{port}` is not a port"))?,
    };
    let host = host.parse().map_err(|error| format!("{error}"))?;
    let owner = members.get("owner").and_then(Value::as_str).filter(|owner| !owner.trim().is_empty());
    Ok(OldReservation { host, port, owner: owner.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_with_their_owners() {
        let text = br#"{"127.0.0.1:8000": {"host": "127.0.0.1", "port": 8000, "owner": "me", "timestamp": 1.5},
                        "localhost:8001": {"owner": null}}"#;
        let parsed = parse_portkeeper(text).unwrap();
        let entries: Vec<_> = parsed.entries.iter().map(|(_, entry)| entry).collect();
        assert_eq!((entries[0].port.get(), entries[0].owner.as_deref()), (8000, Some("me")));
        assert_eq!(
            (entries[1].host.as_str(), entries[1].port.get(), entries[1].owner.as_deref()),
            ("localhost", 8001, None)
        );
        assert_eq!(parsed.faults, []);
    }

    #[test]
    fn every_fault_is_named_with_its_entry_and_stops_nothing() {
        let text = br#"{"a": 1, "h:1": {"port": null}, "h:2": {"port": 70000}, "b c:3": {}, "h": {}, "h:4": {"host": 5}, "h:5": {}}"#;
        let parsed = parse_portkeeper(text).unwrap();
        assert_eq!(parsed.entries.len(), 1);
        assert_eq!(parsed.faults.len(), 6);
        assert_eq!(parsed.faults[1].to_string(), "entry `h:1`: `null` is not a port");
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        for damaged in ["", "[", "[]", "null", "{\"127.0.0.1:8000\": {\"host\""] {
            assert!(parse_portkeeper(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }
}

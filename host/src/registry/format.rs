//! The registry file: JSON, one reservation a line, so that people can read it and tools can compare it.
//!
//! Places and projects, which many reservations share, are tables that the reservations point into. A change that an older
//! portkeeper would misread raises [`VERSION`]: older ones then still read what they understand, and never write.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::model::{Caller, Hold, Host, Lease, Place, Port, Project, Protocol, Reservation};

/// The format that this portkeeper writes. 2: holds.
pub(super) const VERSION: u32 = 2;

/// What the bytes of a registry file say.
pub(super) enum Decoded {
    /// All of it.
    Whole(Vec<Reservation>),
    /// A newer format, and what could be understood of it.
    Newer { version: u32, reservations: Vec<Reservation>, not_understood: usize },
}

#[derive(Serialize, Deserialize)]
struct Document<P, J, R> {
    version: u32,
    #[serde(default = "Vec::new")]
    places: Vec<P>,
    #[serde(default = "Vec::new")]
    projects: Vec<J>,
    #[serde(default = "Vec::new")]
    reservations: Vec<R>,
}

/// A reservation with indices into the tables. Borrowed when it is written, owned when it was read.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    host: Cow<'a, Host>,
    port: Port,
    protocol: Protocol,
    /// Left out when the host says it all, which it nearly always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    addresses: Option<Cow<'a, [IpAddr]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Cow<'a, str>>,
    lease: Cow<'a, Lease>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold: Option<Cow<'a, Hold>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    project: Option<usize>,
    place: usize,
    created: Timestamp,
    /// Milliseconds.
    since_boot: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    caller: Option<Cow<'a, Caller>>,
}

/// Reads a registry file.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    // Checked once as a whole, UTF-8 costs less than string by string.
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    match serde_json::from_str::<Document<Option<Arc<Place>>, Option<Arc<Project>>, Entry<'_>>>(text) {
        Ok(document) if document.version <= VERSION => {
            let Document { places, projects, reservations, .. } = document;
            let reservations = reservations.into_iter().map(|entry| entry.into_reservation(&places, &projects));
            Ok(Decoded::Whole(reservations.collect::<Option<_>>().ok_or("an entry points to nothing")?))
        }
        other => decode_newer(text).ok_or_else(|| match other {
            Ok(_) => "no list of reservations".to_owned(),
            Err(error) => error.to_string(),
        }),
    }
}

/// The reservations that the bytes hold, as far as they can be understood. Hold files are little registries, too.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Reservation>, String> {
    decode(bytes).map(|decoded| match decoded {
        Decoded::Whole(reservations) | Decoded::Newer { reservations, .. } => reservations,
    })
}

/// Reads what can be understood of a newer format; none when it is not one.
fn decode_newer(text: &str) -> Option<Decoded> {
    fn each<T: for<'de> Deserialize<'de>>(raw: &[&RawValue]) -> Vec<Option<T>> {
        raw.iter().map(|raw| serde_json::from_str(raw.get()).ok()).collect()
    }
    let document: Document<&RawValue, &RawValue, &RawValue> = serde_json::from_str(text).ok()?;
    if document.version <= VERSION {
        return None;
    }
    let (places, projects) = (each(&document.places), each(&document.projects));
    let entries: Vec<Option<Entry<'_>>> = each(&document.reservations);
    let count = entries.len();
    let known = |entry: Entry<'_>| entry.into_reservation(&places, &projects);
    let reservations: Vec<_> = entries.into_iter().flatten().filter_map(known).collect();
    let not_understood = count - reservations.len();
    Some(Decoded::Newer { version: document.version, reservations, not_understood })
}

/// Writes a registry file.
pub(crate) fn encode(reservations: &[Reservation]) -> Vec<u8> {
    let (mut places, mut projects) = (Table::default(), Table::default());
    let entries: Vec<_> = reservations
        .iter()
        .map(|reservation| {
            let project = reservation.name().and_then(|name| name.project.as_ref());
            Entry::new(reservation, places.index(&reservation.place), project.map(|project| projects.index(project)))
        })
        .collect();
    let mut text = format!("{{\"version\":{VERSION},").into_bytes();
    list(&mut text, "places", &places.rows);
    text.push(b',');
    list(&mut text, "projects", &projects.rows);
    text.push(b',');
    list(&mut text, "reservations", &entries);
    text.extend_from_slice(b"}\n");
    text
}

/// A field with an array, one element a line.
fn list<T: Serialize>(text: &mut Vec<u8>, name: &str, rows: &[T]) {
    text.extend_from_slice(format!("\n\"{name}\":[").as_bytes());
    for (index, row) in rows.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b"\n" } else { b",\n" });
        serde_json::to_writer(&mut *text, row).expect("plain data becomes JSON, and a Vec takes every byte");
    }
    text.push(b']');
}

/// Rows that occur once, however often they are pointed to.
struct Table<T> {
    rows: Vec<Arc<T>>,
    indices: HashMap<Arc<T>, usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), indices: HashMap::new() }
    }
}

impl<T: Eq + Hash> Table<T> {
    fn index(&mut self, row: &Arc<T>) -> usize {
        *self.indices.entry(Arc::clone(row)).or_insert_with(|| {
            self.rows.push(Arc::clone(row));
            self.rows.len() - 1
        })
    }
}

impl<'a> Entry<'a> {
    fn new(reservation: &'a Reservation, place: usize, project: Option<usize>) -> Self {
        let addresses = reservation.addresses.as_slice();
        let implied = reservation.host.implies(addresses);
        Self {
            host: Cow::Borrowed(&reservation.host),
            port: reservation.port,
            protocol: reservation.protocol,
            addresses: (!implied).then_some(Cow::Borrowed(addresses)),
            owner: reservation.owner.as_deref().map(Cow::Borrowed),
            lease: Cow::Borrowed(&reservation.lease),
            hold: reservation.hold.as_ref().map(Cow::Borrowed),
            project,
            place,
            created: reservation.created,
            since_boot: u64::try_from(reservation.created_since_boot.as_millis()).unwrap_or(u64::MAX),
            caller: reservation.caller.as_ref().map(Cow::Borrowed),
        }
    }

    /// The reservation; none when a table lacks what the entry points to.
    fn into_reservation(self, places: &[Option<Arc<Place>>], projects: &[Option<Arc<Project>>]) -> Option<Reservation> {
        let mut lease = self.lease.into_owned();
        if lease == Lease::Held && self.hold.is_none() {
            return None;
        }
        if let (Lease::Named(name), Some(index)) = (&mut lease, self.project) {
            name.project = Some(projects.get(index)?.clone()?);
        }
        Some(Reservation {
            addresses: match self.addresses {
                Some(addresses) if addresses.is_empty() => return None,
                Some(addresses) => addresses.into_owned(),
                None => self.host.literal_addresses()?,
            },
            host: self.host.into_owned(),
            port: self.port,
            protocol: self.protocol,
            owner: self.owner.map(Cow::into_owned),
            lease,
            hold: self.hold.map(Cow::into_owned),
            place: places.get(self.place)?.clone()?,
            created: self.created,
            created_since_boot: Duration::from_millis(self.since_boot),
            caller: self.caller.map(Cow::into_owned),
        })
    }
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;

//! The registry file: JSON, one reservation a line, so that people can read it and tools can compare it.
//!
//! Places and projects, which many reservations share, are tables that the reservations point into. A change that an older
//! portkeeper would misread raises [`VERSION`]: older ones then still read what they understand, and never write.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::source::{Layout, Source, Table};
use crate::document::json_error;
use crate::model::{Caller, Hold, Host, Lease, Place, Port, Project, Protocol, Reservation, ReservationId};

/// The format that this portkeeper writes. 2: holds. 3: what nearly every entry has is left out. 4: identities, time namespaces, and a
/// checksum.
pub(super) const VERSION: u32 = 4;

/// What the bytes of a registry file say.
pub(super) enum Decoded {
    /// All of it, and where it stands if it stands as we write it.
    Whole { reservations: Vec<Reservation>, layout: Option<Layout> },
    /// A newer format, and what could be understood of it.
    Newer { version: u32, reservations: Vec<Reservation>, not_understood: usize },
}

/// A document of a format that we know to the last field. One that we do not know is damage: a flipped bit may make `2eservations` of the
/// reservations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    version: u32,
    #[serde(default)]
    places: Vec<Option<Arc<Place>>>,
    #[serde(default)]
    projects: Vec<Option<Arc<Project>>>,
    #[serde(borrow)]
    reservations: Vec<Entry<'a>>,
    /// Checked where it stands ([`checked`]).
    crc32: Option<String>,
}

/// What we look for in a document of a newer format.
#[derive(Deserialize)]
struct NewerDocument<'a> {
    version: u32,
    #[serde(default, borrow)]
    places: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    projects: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    reservations: Vec<&'a RawValue>,
}

/// A reservation with indices into the tables. Borrowed when it is written, owned when it was read.
#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    port: Port,
    /// Older formats have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<ReservationId>,
    /// Left out when it is TCP.
    #[serde(default, skip_serializing_if = "is_default")]
    protocol: Protocol,
    /// Left out when it is the default one.
    #[serde(default, skip_serializing_if = "is_default")]
    host: Cow<'a, Host>,
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
    /// Left out when it is the first one.
    #[serde(default, skip_serializing_if = "is_default")]
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
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8 text")?;
    let is_checked = checked(text)?;
    if let Some(decoded) = decode_lines(text, is_checked) {
        return Ok(decoded);
    }
    match serde_json::from_str::<Document<'_>>(text) {
        Ok(Document { crc32: Some(_), .. }) if !is_checked => Err(ALTERED.to_owned()),
        Ok(document) if document.version <= VERSION => {
            let Document { places, projects, reservations, .. } = document;
            let reservations = reservations.into_iter().map(|entry| entry.into_reservation(&places, &projects));
            let reservations = reservations.collect::<Option<_>>().ok_or("an entry points to nothing")?;
            Ok(Decoded::Whole { reservations, layout: None })
        }
        other => decode_newer(text).ok_or_else(|| match other {
            Ok(_) => "no list of reservations".to_owned(),
            Err(error) => json_error(&error),
        }),
    }
}

/// What the bytes of a hold file list.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) reservations: Vec<Reservation>,
    /// False: it lists more, which a newer portkeeper understands.
    pub(crate) is_whole: bool,
}

/// What a hold file lists, as far as it can be understood. Hold files are little registries, too.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn read(bytes: &[u8]) -> Result<Contents, String> {
    decode(bytes).map(|decoded| match decoded {
        Decoded::Whole { reservations, .. } => Contents { reservations, is_whole: true },
        Decoded::Newer { reservations, not_understood, .. } => Contents { reservations, is_whole: not_understood == 0 },
    })
}

/// The bytes that [`read`] understands.
#[cfg(target_os = "linux")]
pub(crate) fn write(reservations: &[Reservation]) -> Vec<u8> {
    encode(reservations, None).concat()
}

/// Reads what can be understood of a newer format; none when it is not one.
fn decode_newer(text: &str) -> Option<Decoded> {
    fn each<T: for<'de> Deserialize<'de>>(raw: &[&RawValue]) -> Vec<Option<T>> {
        raw.iter().map(|raw| serde_json::from_str(raw.get()).ok()).collect()
    }
    let document: NewerDocument<'_> = serde_json::from_str(text).ok()?;
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

/// What stands between the tables and the first reservation, between two reservations, and at the end.
const HEADING: &str = "\n\"reservations\":[";
const BETWEEN: &[u8] = b",\n";
/// The end of a document in the older formats, which had no checksum. A file that was edited by hand may end so, too.
const END: &str = "]}\n";
/// The end of a document: the checksum (CRC-32) of everything before its eight digits.
const SUM: &str = "],\n\"crc32\":\"";
const AFTER_SUM: &str = "\"}\n";

const ALTERED: &str =
    "its checksum does not match: the file was damaged, or edited (who edits it takes the line `crc32` out)";

/// Whether the text ends with a checksum, which is right. A newer format keeps the place of the checksum, too.
///
/// # Errors
/// It is wrong.
fn checked(text: &str) -> Result<bool, String> {
    let Some((before, sum)) =
        text.strip_suffix(AFTER_SUM).and_then(|text| text.split_at_checked(text.len().checked_sub(8)?))
    else {
        return Ok(false);
    };
    if !before.ends_with(SUM) {
        return Ok(false);
    }
    let right = sum_text(crc32fast::hash(before.as_bytes()));
    if sum == right { Ok(true) } else { Err(ALTERED.to_owned()) }
}

fn sum_text(sum: u32) -> String {
    format!("{sum:08x}")
}

/// Where the entries of a text end that ends with a checksum, which was found right, or as older ones did.
fn end_of_entries(text: &str, is_checked: bool) -> Option<usize> {
    if is_checked {
        text.len().checked_sub(SUM.len() + 8 + AFTER_SUM.len())
    } else {
        text.strip_suffix(END).map(str::len)
    }
}

/// Reads a file that stands as [`encode`] writes it, line by line; none when it does not, or anything is wrong with it.
fn decode_lines(text: &str, is_checked: bool) -> Option<Decoded> {
    let body = text.find(HEADING)? + HEADING.len();
    let entries = text.get(body..end_of_entries(text, is_checked)?)?;
    // The tables alone are a document, too.
    let head = [&text[..body], END].concat();
    let tables: Document<'_> = serde_json::from_str(&head).ok()?;
    if tables.version > VERSION {
        return None;
    }
    let lines = lines(entries, body)?;
    let reservations = read_lines(text, &lines, &tables)?;
    let lines = lines.into_iter().map(Some).collect();
    let places = tables.places.into_iter().collect::<Option<_>>()?;
    let projects = tables.projects.into_iter().collect::<Option<_>>()?;
    // What an older format lacks, every line gets with the first write.
    let layout = (tables.version == VERSION).then_some(Layout { lines, places, projects });
    Some(Decoded::Whole { reservations, layout })
}

/// Where each entry stands, without the comma after it. The text begins `before` bytes into the file.
fn lines(entries: &str, before: usize) -> Option<Vec<Range<usize>>> {
    let Some(rows) = entries.strip_prefix('\n') else { return entries.is_empty().then(Vec::new) };
    let mut start = before + 1;
    let end = before + entries.len();
    let line = |row: &str| {
        let line = start..start + row.len();
        start = line.end + 1;
        if line.end == end { Some(line) } else { row.ends_with(',').then(|| line.start..line.end - 1) }
    };
    rows.split('\n').map(line).collect()
}

fn read_lines(text: &str, lines: &[Range<usize>], tables: &Document<'_>) -> Option<Vec<Reservation>> {
    // A collected `Option<Vec>` would not know how long it gets, and move what it has again and again.
    let mut reservations = Vec::with_capacity(lines.len());
    for line in lines {
        let entry: Entry<'_> = serde_json::from_str(&text[line.clone()]).ok()?;
        reservations.push(entry.into_reservation(&tables.places, &tables.projects)?);
    }
    Some(reservations)
}

/// The bytes of a registry file, in pieces. What still stands in the source as it was read is not copied: a change among ten thousand
/// reservations makes three pieces.
pub(super) fn encode<'a>(reservations: &[Reservation], source: Option<&'a Source>) -> Vec<Cow<'a, [u8]>> {
    let source = source.filter(|source| source.needs_all_rows(reservations));
    let mut places = Table::of(source.map_or(&[], |source| &source.layout.places));
    let mut projects = Table::of(source.map_or(&[], |source| &source.layout.projects));
    // The tables come first in the text, so what points into them is made first.
    let mut lines = Vec::with_capacity(reservations.len());
    for (index, reservation) in reservations.iter().enumerate() {
        lines.push(match source.and_then(|source| source.line(index)) {
            Some(line) => Line::AsItStood(line),
            None => {
                let project = reservation.name().and_then(|name| name.project.as_ref());
                let project = project.map(|project| projects.index(project));
                Line::New(Box::new(Entry::new(reservation, places.index(&reservation.place), project)))
            }
        });
    }
    let mut pieces = Pieces::default();
    let text = pieces.text();
    text.extend_from_slice(format!("{{\"version\":{VERSION},").as_bytes());
    table(text, "places", &places.rows);
    text.push(b',');
    table(text, "projects", &projects.rows);
    text.push(b',');
    text.extend_from_slice(HEADING.as_bytes());
    for (index, line) in lines.into_iter().enumerate() {
        let between = if index == 0 { b"\n" } else { BETWEEN };
        match line {
            Line::AsItStood(line) => pieces.keep(line, between),
            Line::New(entry) => {
                let text = pieces.text();
                text.extend_from_slice(between);
                json(text, entry.as_ref());
            }
        }
    }
    pieces.text().extend_from_slice(SUM.as_bytes());
    let bytes = |piece| match piece {
        Piece::Text(text) => Cow::Owned(text),
        Piece::Kept(range) => Cow::Borrowed(source.map_or(&[][..], |source| source.text(range))),
    };
    let mut pieces: Vec<Cow<'a, [u8]>> = pieces.0.into_iter().map(bytes).collect();
    let mut sum = crc32fast::Hasher::new();
    pieces.iter().for_each(|piece| sum.update(piece));
    pieces.push(Cow::Owned([sum_text(sum.finalize()).as_bytes(), AFTER_SUM.as_bytes()].concat()));
    pieces
}

/// A line to be written.
enum Line<'a> {
    AsItStood(Range<usize>),
    New(Box<Entry<'a>>),
}

/// What a file is made of: new text, and stretches of the one that was read.
#[derive(Default)]
struct Pieces(Vec<Piece>);

enum Piece {
    Text(Vec<u8>),
    Kept(Range<usize>),
}

impl Pieces {
    /// Where new text goes on.
    fn text(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0.last(), Some(Piece::Text(_))) {
            self.0.push(Piece::Text(Vec::new()));
        }
        match self.0.last_mut() {
            Some(Piece::Text(text)) => text,
            _ => unreachable!("it was just pushed"),
        }
    }

    /// Adds a line of the source. One that follows there on the last is kept together with it, and with what stands between the two.
    fn keep(&mut self, line: Range<usize>, between: &[u8]) {
        match self.0.last_mut() {
            Some(Piece::Kept(kept)) if kept.end + BETWEEN.len() == line.start => kept.end = line.end,
            _ => {
                self.text().extend_from_slice(between);
                self.0.push(Piece::Kept(line));
            }
        }
    }
}

/// A field with an array, one element a line.
fn table<T: Serialize>(text: &mut Vec<u8>, name: &str, rows: &[T]) {
    text.extend_from_slice(format!("\n\"{name}\":[").as_bytes());
    for (index, row) in rows.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b"\n" } else { BETWEEN });
        json(text, row);
    }
    text.push(b']');
}

fn json(text: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(text, value).expect("plain data becomes JSON, and a Vec takes every byte");
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<'a> Entry<'a> {
    fn new(reservation: &'a Reservation, place: usize, project: Option<usize>) -> Self {
        let addresses = reservation.addresses.as_slice();
        let implied = reservation.host.implies(addresses);
        Self {
            port: reservation.port,
            id: Some(reservation.id),
            protocol: reservation.protocol,
            host: Cow::Borrowed(&reservation.host),
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
        let id = self.id;
        let mut reservation = Reservation {
            id: ReservationId::new(0),
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
        };
        reservation.id = id.unwrap_or_else(|| identity(&reservation));
        Some(reservation)
    }
}

/// The identity of a reservation that was written without: the same each time that it is read, until it is written.
fn identity(reservation: &Reservation) -> ReservationId {
    let Reservation { port, protocol, addresses, owner, lease, place, created, .. } = reservation;
    // This hasher has no keys of its own.
    let mut hasher = std::hash::DefaultHasher::new();
    (port, addresses, owner, lease, place, created).hash(&mut hasher);
    protocol.to_string().hash(&mut hasher);
    ReservationId::new(hasher.finish())
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "format_3_tests.rs"]
mod format_3_tests;

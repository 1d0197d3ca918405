//! The files of the Python tools, read as they are found: what can be understood is taken, and everything else is named with its place.

mod port_for;
mod portkeeper;

use std::fmt;

use thiserror::Error;

pub use port_for::{PORT_FOR_FILE, parse_port_for};
pub use portkeeper::{OldReservation, PORTKEEPER_FILE, parse_portkeeper};

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What could be understood, each with its place.
    pub entries: Vec<(Place, T)>,
    /// What could not.
    pub faults: Vec<Fault>,
    /// What is no entry, but may have been meant as one.
    pub remarks: Vec<Fault>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), faults: Vec::new(), remarks: Vec::new() }
    }
}

/// Where in a file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line, counted from 1.
    Line(usize),
    /// The member of a JSON object.
    Key(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Key(key) => write!(f, "entry `{key}`"),
        }
    }
}

/// Something that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {why}")]
pub struct Fault {
    /// Where it stands.
    pub place: Place,
    /// Why it was not taken.
    pub why: String,
}

impl Fault {
    fn new(place: Place, why: impl fmt::Display) -> Self {
        Self { place, why: why.to_string() }
    }
}

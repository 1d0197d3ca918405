//! The text that a snapshot was read from. A change to one reservation among ten thousand writes the others back as they stand, which
//! costs a tenth of writing them anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use crate::model::{Place, Project, Reservation};

/// Where reservations stand in the text of a file that has our own layout, one on each line.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The line of each reservation, without the comma; none for one that was changed or added since.
    pub(super) lines: Vec<Option<Range<usize>>>,
    /// The tables that the lines point into.
    pub(super) places: Vec<Arc<Place>>,
    pub(super) projects: Vec<Arc<Project>>,
}

/// The text with its layout.
#[derive(Debug, Clone)]
pub(super) struct Source {
    text: Arc<Vec<u8>>,
    pub(super) layout: Layout,
}

impl Source {
    pub(super) fn new(text: Vec<u8>, layout: Layout) -> Self {
        Self { text: Arc::new(text), layout }
    }

    /// The line of the reservation at `index`, unless it was changed since.
    pub(super) fn line(&self, index: usize) -> Option<Range<usize>> {
        self.layout.lines.get(index)?.clone()
    }

    /// The text in a range that begins and ends with lines.
    pub(super) fn text(&self, range: Range<usize>) -> &[u8] {
        &self.text[range]
    }

    /// Another reservation is in this place, or one more at the end.
    pub(super) fn changed(&mut self, index: usize) {
        match self.layout.lines.get_mut(index) {
            Some(line) => *line = None,
            None => self.layout.lines.push(None),
        }
    }

    /// The reservations for which the list says so are no longer there.
    pub(super) fn removed(&mut self, leaves: &[bool]) {
        let mut leaves = leaves.iter();
        self.layout.lines.retain(|_| !leaves.next().copied().unwrap_or_default());
    }

    /// Whether every row of the tables is still pointed to. Lines can only be used again with the tables as they were.
    pub(super) fn needs_all_rows(&self, reservations: &[Reservation]) -> bool {
        let project = |reservation: &Reservation| Some(Arc::as_ptr(reservation.name()?.project.as_ref()?));
        all_used(&self.layout.places, reservations.iter().map(|one| Arc::as_ptr(&one.place)))
            && all_used(&self.layout.projects, reservations.iter().filter_map(project))
    }
}

/// Whether every row is among the ones that are used. What was read points to the very rows of its tables.
fn all_used<T>(rows: &[Arc<T>], used: impl Iterator<Item = *const T>) -> bool {
    let mut unused: std::collections::HashSet<_> = rows.iter().map(Arc::as_ptr).collect();
    let mut used = used;
    while !unused.is_empty() {
        match used.next() {
            Some(row) => unused.remove(&row),
            None => return false,
        };
    }
    true
}

/// Rows that occur once, however often they are pointed to.
pub(super) struct Table<T> {
    pub(super) rows: Vec<Arc<T>>,
    indices: HashMap<Arc<T>, usize>,
}

impl<T: Eq + Hash> Table<T> {
    /// A table that begins with these rows.
    pub(super) fn of(rows: &[Arc<T>]) -> Self {
        let indices = rows.iter().enumerate().map(|(index, row)| (Arc::clone(row), index)).collect();
        Self { rows: rows.to_vec(), indices }
    }

    pub(super) fn index(&mut self, row: &Arc<T>) -> usize {
        *self.indices.entry(Arc::clone(row)).or_insert_with(|| {
            self.rows.push(Arc::clone(row));
            self.rows.len() - 1
        })
    }
}

//! The reservations at one point in time, to read and, within a transaction, to change.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use super::source::Source;
use crate::model::{Port, Reservation, ReservationId};

/// The reservations at one point in time.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(super) reservations: Vec<Reservation>,
    pub(super) notices: Vec<Notice>,
    /// What it was read from, as far as it can be written back.
    pub(super) source: Option<Source>,
}

/// What is reserved counts, not how it was written.
impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        (&self.reservations, &self.notices) == (&other.reservations, &other.notices)
    }
}

/// Something that the user should know about the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The file was not readable and its former state was used. What the last change had added is lost.
    Recovered {
        /// The registry.
        path: PathBuf,
        /// Where the unreadable file was kept; none while it is still in its place.
        kept: Option<PathBuf>,
    },
    /// The file was gone, and its former state was used. What the last change had added is lost.
    Missing {
        /// The registry.
        path: PathBuf,
        /// Its former state.
        previous: PathBuf,
    },
    /// The directory of a registry that the user named was not there.
    MadeDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// Holders had reservations that the registry did not know.
    FromHolders {
        /// How many.
        reservations: usize,
    },
    /// The file of a hold whose holder lives does not say what it holds.
    UnclearHold {
        /// The hold file.
        file: PathBuf,
    },
    /// Something still runs on a port that nothing keeps any more, because the portkeeper that ran it was killed.
    Unkept {
        /// The port.
        port: Port,
        /// The pid of that portkeeper.
        keeper: u32,
        /// What still runs, and where.
        left: String,
    },
    /// A newer portkeeper wrote entries that this one cannot read.
    NotUnderstood {
        /// The registry.
        path: PathBuf,
        /// How many.
        entries: usize,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recovered { path, kept } => {
                write!(f, "{} was damaged: using its former state, without the last change", path.display())?;
                kept.as_ref().map_or(Ok(()), |kept| write!(f, " (the damaged file is kept as {})", kept.display()))
            }
            Self::Missing { path, previous } => write!(
                f,
                "{} is gone: using its former state, without the last change (to start anew, remove {} as well)",
                path.display(),
                previous.display()
            ),
            Self::MadeDirectory { directory } => {
                write!(f, "{} was not there: made for the registry", directory.display())
            }
            Self::FromHolders { reservations } => {
                let plural = if *reservations == 1 { "reservation that is" } else { "reservations that are" };
                write!(f, "the registry has lost {reservations} {plural} held: taken back from the hold files")
            }
            Self::UnclearHold { file } => write!(
                f,
                "{} is empty or damaged, and its holder lives: which ports it keeps is unknown (removing the file ends that hold)",
                file.display()
            ),
            Self::Unkept { left, keeper, .. } => {
                write!(
                    f,
                    "{left}, and nothing keeps its port any more: the portkeeper that did (pid {keeper}) was killed"
                )
            }
            Self::NotUnderstood { path, entries } => {
                write!(f, "{}: {entries} entries of a newer portkeeper are not shown", path.display())
            }
        }
    }
}

impl Snapshot {
    /// The reservations, oldest first.
    #[must_use]
    pub fn reservations(&self) -> &[Reservation] {
        &self.reservations
    }

    /// The reservation with this identity.
    #[must_use]
    pub fn find(&self, id: ReservationId) -> Option<&Reservation> {
        self.reservations.iter().find(|reservation| reservation.id == id)
    }

    /// What the user should know.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }
}

/// Reservations that may be changed, because no other process can change them now.
#[derive(Debug)]
pub struct Transaction {
    pub(super) snapshot: Snapshot,
    pub(super) steps: Vec<Step>,
    pub(super) is_followed: bool,
}

/// A change, as it is taken back.
#[derive(Debug)]
pub(super) enum Step {
    /// This one was added.
    Added(ReservationId, Port),
    /// This is what was there.
    Had(Box<Reservation>),
}

impl Transaction {
    /// Only a store opens a transaction, and it does so under its lock. A rehearsal on a copy, whose changes go nowhere, is
    /// [`Transaction::dry_run`].
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, steps: Vec::new(), is_followed: false }
    }

    /// A transaction on a copy, to see what would happen. It cannot be committed.
    #[must_use]
    pub fn dry_run(snapshot: Snapshot) -> Self {
        Self::new(snapshot)
    }

    /// Adds a reservation.
    pub fn insert(&mut self, reservation: Reservation) {
        self.steps.push(Step::Added(reservation.id, reservation.port));
        self.snapshot.reservations.push(reservation);
        self.has_changed(self.snapshot.reservations.len() - 1);
    }

    /// Puts another reservation in the place of the one at `index` of [`Snapshot::reservations`].
    pub fn replace(&mut self, index: usize, reservation: Reservation) {
        if self.snapshot.reservations[index] != reservation {
            if self.snapshot.reservations[index].id != reservation.id {
                self.steps.push(Step::Added(reservation.id, reservation.port));
            }
            let had = std::mem::replace(&mut self.snapshot.reservations[index], reservation);
            self.steps.push(Step::Had(Box::new(had)));
            self.has_changed(index);
        }
    }

    /// Changes the reservation with this identity, if it is still there.
    pub fn update(&mut self, id: ReservationId, change: impl FnOnce(&mut Reservation)) {
        if let Some(index) = self.reservations().iter().position(|reservation| reservation.id == id) {
            let mut reservation = self.reservations()[index].clone();
            change(&mut reservation);
            self.replace(index, reservation);
        }
    }

    /// Says that what changes here need not survive a power cut yet, and a store may save the time: another transaction follows before
    /// any caller learns of it, or it undoes what no caller learned of.
    pub fn defer_sync(&mut self) {
        self.is_followed = true;
    }

    fn has_changed(&mut self, index: usize) {
        self.snapshot.source.iter_mut().for_each(|source| source.changed(index));
    }

    /// Removes the reservations for which `leaves` is true, and returns them.
    pub fn remove(&mut self, mut leaves: impl FnMut(&Reservation) -> bool) -> Vec<Reservation> {
        let leaving: Vec<bool> = self.snapshot.reservations.iter().map(&mut leaves).collect();
        if !leaving.contains(&true) {
            return Vec::new();
        }
        self.snapshot.source.iter_mut().for_each(|source| source.removed(&leaving));
        let mut leaving = leaving.into_iter();
        let removed: Vec<_> =
            self.snapshot.reservations.extract_if(.., |_| leaving.next().unwrap_or_default()).collect();
        self.steps.extend(removed.iter().cloned().map(Box::new).map(Step::Had));
        removed
    }

    /// Takes back what another transaction did: what it added goes, and what it changed or removed is as it was, unless another caller has
    /// the port by now.
    pub(super) fn take_back(&mut self, steps: Vec<Step>) {
        for step in steps.into_iter().rev() {
            match step {
                Step::Added(id, _) => drop(self.remove(|reservation| reservation.id == id)),
                Step::Had(old) => match self.reservations().iter().position(|reservation| reservation.id == old.id) {
                    Some(index) => self.replace(index, *old),
                    None if self.reservations().iter().any(|reservation| reservation.overlaps(&old)) => {}
                    None => self.insert(*old),
                },
            }
        }
    }

    /// Whether there is anything to commit.
    #[must_use]
    pub fn changed(&self) -> bool {
        !self.steps.is_empty()
    }
}

impl Deref for Transaction {
    type Target = Snapshot;

    fn deref(&self) -> &Snapshot {
        &self.snapshot
    }
}

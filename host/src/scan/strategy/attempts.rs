//! The attempts to connect that are under way, and when each of them is over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use super::network::Attempt;

/// One port of one host, tried for the nth time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// Which port: its place among those of the scan.
    pub(super) port: u32,
    /// How often it was tried before.
    pub(super) tries: u8,
}

/// An attempt under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Underway {
    pub(super) host: usize,
    pub(super) probe: Probe,
    pub(super) since: Duration,
}

/// All attempts under way. Places are used again, the most recently freed first: the owner of the sockets can keep one in each place.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    places: Vec<(u32, Option<Underway>)>,
    free: Vec<u32>,
    deadlines: BinaryHeap<Reverse<(Duration, u32, u32)>>,
    count: usize,
}

impl Attempts {
    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The name that the next attempt will have.
    pub(super) fn next(&mut self) -> Attempt {
        let place = self.free.last().copied().unwrap_or_else(|| {
            let place = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
            self.places.push((0, None));
            self.free.push(place);
            place
        });
        Attempt { place, number: self.places[place as usize].0 }
    }

    /// The attempt that [`Attempts::next`] named has begun.
    pub(super) fn begin(&mut self, attempt: Attempt, underway: Underway, deadline: Duration) {
        self.free.pop();
        self.places[attempt.place as usize].1 = Some(underway);
        self.deadlines.push(Reverse((deadline, attempt.place, attempt.number)));
        self.count += 1;
    }

    /// The attempt is over; none when it was before.
    pub(super) fn end(&mut self, attempt: Attempt) -> Option<Underway> {
        let (number, place) = self.places.get_mut(attempt.place as usize)?;
        if *number != attempt.number {
            return None;
        }
        let underway = place.take()?;
        *number = number.wrapping_add(1);
        self.free.push(attempt.place);
        self.count -= 1;
        Some(underway)
    }

    /// An attempt whose time is up.
    pub(super) fn expired(&mut self, now: Duration) -> Option<Attempt> {
        while let Some(&Reverse((deadline, place, number))) = self.deadlines.peek() {
            if self.is_over(place, number) {
                self.deadlines.pop();
            } else if deadline <= now {
                return Some(Attempt { place, number });
            } else {
                break;
            }
        }
        None
    }

    /// When the next attempt's time is up.
    pub(super) fn deadline(&self) -> Option<Duration> {
        // Of one that is over already, at worst: then we wake up once for nothing.
        self.deadlines.peek().map(|&Reverse((deadline, ..))| deadline)
    }

    fn is_over(&self, place: u32, number: u32) -> bool {
        let (current, underway) = &self.places[place as usize];
        *current != number || underway.is_none()
    }
}

//! The addresses that were asked for, and have not answered yet.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::Target;
use crate::scan::Address;

/// How many addresses may be unresolved at the same time. The kernel's table has room for 1,024 of all programs together, in all
/// namespaces (`gc_thresh3`, arp(7)), and an unresolved entry cannot be cleared away for others.
const WINDOW: usize = 768;

/// How long an unresolved address stays in the table: three questions, a second apart (`mcast_solicit`, arp(7)).
const LIFE: Duration = Duration::from_millis(3_100);

/// When the system asks an address again (`retrans_time_ms`, arp(7)).
const AGAIN: Duration = Duration::from_secs(1);

/// How many times the slowest answer the others have: their first one may wait behind other packets.
const SLOWER: u32 = 2;

/// A question for an address.
#[derive(Debug, Clone, Copy)]
struct Question {
    target: Target,
    since: Duration,
    /// Whether it still takes up room in the system's table.
    unresolved: bool,
}

/// Who was asked, and since when.
#[derive(Debug)]
pub(super) struct Asking {
    /// How long after the last question an answer is waited for, at least and at most.
    patience: (Duration, Duration),
    /// The longest that any host took to answer the first time that the system asked.
    slowest: Option<Duration>,
    questions: HashMap<Address, Question>,
    in_order: VecDeque<(Duration, Address)>,
    unresolved: usize,
    last: Option<Duration>,
    /// Named addresses that did not answer.
    silent: Vec<Address>,
    /// Hosts that have answered and get an echo request.
    to_greet: VecDeque<usize>,
}

impl Asking {
    pub(super) fn new(patience: (Duration, Duration)) -> Self {
        Self {
            patience,
            slowest: None,
            questions: HashMap::new(),
            in_order: VecDeque::new(),
            unresolved: 0,
            last: None,
            silent: Vec::new(),
            to_greet: VecDeque::new(),
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.unresolved < WINDOW
    }

    pub(super) fn contains(&self, address: Address) -> bool {
        self.questions.contains_key(&address)
    }

    pub(super) fn asked(&mut self, target: Target, now: Duration) {
        self.questions.insert(target.address, Question { target, since: now, unresolved: true });
        self.in_order.push_back((now, target.address));
        self.unresolved += 1;
        self.last = Some(now);
    }

    /// The question cannot be sent.
    pub(super) fn in_vain(&mut self, target: Target) {
        if target.named {
            self.silent.push(target.address);
        }
    }

    /// The target that has answered the question, and when it was asked; none when it was not, or had answered before.
    pub(super) fn answered(&mut self, address: Address, now: Duration) -> Option<(Target, Duration)> {
        let (target, since) = self.settled(address)?;
        if let Some(took) = now.checked_sub(since).filter(|took| *took < AGAIN) {
            self.slowest = self.slowest.max(Some(took));
        }
        Some((target, since))
    }

    /// The same where it is known without an answer, which says nothing about distances.
    pub(super) fn settled(&mut self, address: Address) -> Option<(Target, Duration)> {
        self.freed(address);
        self.questions.remove(&address).map(|question| (question.target, question.since))
    }

    /// How long after the last question an answer is waited for. In a network where all hosts are near, there is no wait for hosts that
    /// might be far away; one that no host has answered yet gets the most.
    fn patience(&self) -> Duration {
        let (least, most) = self.patience;
        // What the system's further questions take is no matter of distance.
        let again = Duration::from_secs(least.as_secs());
        self.slowest.map_or(most, |slowest| (again + slowest * SLOWER).clamp(least, most))
    }

    /// The address no longer takes up room.
    pub(super) fn freed(&mut self, address: Address) {
        if let Some(question) = self.questions.get_mut(&address).filter(|question| question.unresolved) {
            question.unresolved = false;
            self.unresolved -= 1;
        }
    }

    /// No answer will come through this interface.
    pub(super) fn forget(&mut self, interface: u32) {
        let gone: Vec<_> = self.questions.values().filter(|question| question.target.interface == interface).collect();
        let gone: Vec<Address> = gone.into_iter().map(|question| question.target.address).collect();
        for address in gone {
            self.settled(address);
        }
    }

    /// Whether the last question has had its time.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        self.to_greet.is_empty()
            && (self.questions.is_empty() || self.last.is_none_or(|last| now >= last + self.patience()))
    }

    /// When something changes by time alone.
    pub(super) fn next(&self, now: Duration) -> Option<Duration> {
        let over =
            self.last.map(|last| last + self.patience()).filter(|&over| over > now && !self.questions.is_empty());
        let room = self.in_order.front().filter(|_| !self.has_room()).map(|(since, _)| *since + LIFE);
        [over, room].into_iter().flatten().min()
    }

    /// The system has given up on old questions by itself.
    pub(super) fn forget_old(&mut self, now: Duration) {
        while let Some(&(since, address)) = self.in_order.front().filter(|(since, _)| *since + LIFE <= now) {
            self.in_order.pop_front();
            if self.questions.get(&address).is_some_and(|question| question.since == since)
                && let Some((target, _)) = self.settled(address)
            {
                self.in_vain(target);
            }
        }
    }

    /// Named addresses that have not answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = Address> + '_ {
        let open = self.questions.values().filter(|question| question.target.named);
        self.silent.iter().copied().chain(open.map(|question| question.target.address))
    }

    pub(super) fn greet(&mut self, host: usize) {
        self.to_greet.push_back(host);
    }

    pub(super) fn next_to_greet(&mut self) -> Option<usize> {
        self.to_greet.pop_front()
    }
}

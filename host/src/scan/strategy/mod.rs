//! What a scan does next: a pure function of what the network has said so far and of the time.
//!
//! Nothing here opens a socket or reads a clock. The strategy is given the time and what was heard ([`Strategy::hear`]), does what is
//! due to a [`Network`] ([`Strategy::act`]), and says when it wants to be woken. So the same code runs on real sockets, and in tests
//! on a simulated network with a clock of its own.
//!
//! Three things go on in parallel. Addresses are asked for, within a window that leaves room in the system's neighbor table. An address
//! that answers is a host, and its ports are tried from that moment on. An attempt that gets no answer is repeated, later each time.

mod asking;
mod attempts;
mod connecting;
mod discovery;
mod host;
mod network;
mod pace;

#[cfg(test)]
mod property;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::iter::Fuse;
use std::sync::Arc;
use std::time::Duration;

use asking::Asking;
use attempts::Attempts;
use host::Host;
pub(in crate::scan) use network::{Attempt, Network, Sent, Signal, Verdict};
use pace::Bucket;
pub use pace::Pace;

use super::{Address, Event, Mac, Progress, UpBy};
use crate::model::Port;

/// An address that may be a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) struct Target {
    /// The address.
    pub(in crate::scan) address: Address,
    /// Whether it is on a link of this machine, where every host answers ARP or Neighbor Discovery.
    pub(in crate::scan) on_link: bool,
    /// Whether the user named this very address: then all of its ports are tried, though it may seem absent.
    pub(in crate::scan) named: bool,
    /// The number of the interface that leads there; 0: unknown.
    pub(in crate::scan) interface: u32,
}

/// How long to wait when the system has no room.
const ROOM: Duration = Duration::from_millis(5);

/// A scan's state.
pub(in crate::scan) struct Strategy<T> {
    targets: Fuse<T>,
    /// Targets that were found on the way, and one that found no room.
    waiting: VecDeque<Target>,
    ports: Arc<[Port]>,
    pace: Pace,
    bucket: Bucket,
    asking: Asking,
    attempts: Attempts,
    hosts: Vec<Host>,
    by_address: HashMap<Address, usize>,
    cached: HashMap<Address, Option<Mac>>,
    ready: VecDeque<usize>,
    paused: Vec<usize>,
    guesses: usize,
    pings: usize,
    open_until: Duration,
    /// The system had no room for questions, or for attempts, before these times.
    no_questions_until: Duration,
    no_attempts_until: Duration,
    lost_links: Vec<u32>,
    capacity: usize,
    progress: Progress,
    exhausted: bool,
    events: Vec<Event>,
}

impl<T: Iterator<Item = Target>> Strategy<T> {
    /// A scan of these ports on these targets. `rate`: packets a second; without it as fast as the network answers.
    #[must_use]
    pub(in crate::scan) fn new(targets: T, ports: Arc<[Port]>, pace: Pace, rate: Option<u32>) -> Self {
        Self {
            targets: targets.fuse(),
            waiting: VecDeque::new(),
            ports,
            pace,
            bucket: Bucket::new(rate),
            asking: Asking::new(pace.discovery()),
            attempts: Attempts::default(),
            hosts: Vec::new(),
            by_address: HashMap::new(),
            cached: HashMap::new(),
            ready: VecDeque::new(),
            paused: Vec::new(),
            guesses: 0,
            pings: 0,
            open_until: Duration::ZERO,
            no_questions_until: Duration::ZERO,
            no_attempts_until: Duration::ZERO,
            lost_links: Vec::new(),
            capacity: 0,
            progress: Progress::default(),
            exhausted: false,
            events: Vec::new(),
        }
    }

    /// Another target, found on the way.
    pub(in crate::scan) fn add(&mut self, target: Target) {
        self.waiting.push_back(target);
    }

    /// Keeps the scan open for volunteers until then.
    pub(in crate::scan) fn expect_volunteers(&mut self, until: Duration) {
        self.open_until = self.open_until.max(until);
    }

    /// What was found out since the last call.
    pub(in crate::scan) fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// How far it has come. The number of addresses in all is not known here.
    pub(in crate::scan) fn progress(&self) -> Progress {
        let of_ports = self.progress.hosts * self.ports.len() as u64;
        Progress { of_ports, ..self.progress }
    }

    /// Takes in what the network says. Everything that has arrived has to be heard before [`Strategy::act`], so that no answer is taken
    /// for late that only waited for us.
    pub(in crate::scan) fn hear(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::Cached(address, mac) if self.asking.contains(address) => {
                let asked = self.asking.settled(address);
                self.neighbour(address, mac, asked, now);
            }
            Signal::Cached(address, mac) => {
                self.cached.insert(address, mac);
            }
            Signal::Neighbour(address, mac) => {
                let asked = self.asking.answered(address, now);
                self.neighbour(address, mac, asked, now);
            }
            Signal::NoNeighbour(address) => self.asking.freed(address),
            Signal::Echo(address, rtt) => {
                self.pings = self.pings.saturating_sub(1);
                self.bucket.answered();
                self.proven(address, UpBy::ICMP, None, Some(rtt));
            }
            Signal::NoEcho(_) => self.pings = self.pings.saturating_sub(1),
            Signal::Volunteer(address) => self.volunteer(address),
            Signal::Verdict(attempt, verdict) => self.verdict(attempt, verdict, now),
            Signal::LinkLost(interface) => self.link_lost(interface),
        }
    }

    /// Does what is due. Says when there is something to do again; none when the scan is over.
    pub(in crate::scan) fn act(&mut self, network: &mut impl Network, now: Duration) -> Option<Duration> {
        self.bucket.fill(now);
        self.capacity = network.capacity();
        self.expire(network, now);
        self.asking.forget_old(now);
        self.resume(now);
        if now >= self.no_questions_until {
            self.discover(network, now);
        }
        if now >= self.no_attempts_until {
            self.connect(network, now);
        }
        if self.is_over(now) { None } else { Some(self.wake(now)) }
    }

    /// Addresses that were named and did not answer, as far as they were asked.
    pub(in crate::scan) fn unanswered(&self) -> impl Iterator<Item = Address> + '_ {
        let guessed = self.hosts.iter().filter(|host| host.target.named && !host.up_by.is_proven());
        guessed.map(|host| host.target.address).chain(self.asking.unanswered())
    }

    fn is_over(&self, now: Duration) -> bool {
        self.exhausted
            && self.waiting.is_empty()
            && self.attempts.len() == 0
            && self.pings == 0
            && now >= self.open_until
            && self.asking.is_over(now)
            && self.ready.is_empty()
            && self.paused.is_empty()
    }

    fn wake(&self, now: Duration) -> Duration {
        let connecting = !self.ready.is_empty() && self.attempts.len() < self.capacity;
        let asking = self.has_targets() && self.may_begin();
        let times = [
            self.attempts.deadline(),
            self.asking.next(now),
            self.paused.iter().map(|&host| self.hosts[host].not_before).min(),
            (self.open_until > now).then_some(self.open_until),
            connecting.then(|| self.bucket.next().max(self.no_attempts_until)),
            asking.then(|| self.bucket.next().max(self.no_questions_until)),
        ];
        // With nothing else to wait for it is echoes, which report by themselves.
        times.into_iter().flatten().min().unwrap_or(now + Duration::from_secs(1)).max(now)
    }
}

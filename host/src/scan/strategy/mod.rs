//! What a scan does next: a pure function of what the network has said so far and of the time.
//!
//! Nothing here opens a socket or reads a clock. The strategy is told the time and what was heard ([`Strategy::hear`]), does what is
//! due to a [`Network`] ([`Strategy::act`]), and says when it wants to be woken. So the same code runs on real sockets, and in tests
//! on a simulated network with a clock of its own.
//!
//! Three things go on at once. Addresses are asked for, within a window that leaves room in the system's neighbour table. Whoever
//! answers is a host, and its ports are tried from that moment on. An attempt that nobody answers is repeated, later each time.

mod asking;
mod attempts;
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
use attempts::{Attempts, Probe, Underway};
use host::Host;
pub(in crate::scan) use network::{Attempt, Network, Sent, Signal, Verdict};
use pace::Bucket;
pub use pace::Pace;

use super::{Address, Event, Mac, PortState, Progress, UpBy};
use crate::model::Port;

/// An address that may be a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scan) struct Target {
    /// The address.
    pub(in crate::scan) address: Address,
    /// Whether it is on a link of this machine, where everyone answers ARP or Neighbour Discovery.
    pub(in crate::scan) on_link: bool,
    /// Whether the user named this very address: then all of its ports are tried, though it may seem absent.
    pub(in crate::scan) named: bool,
    /// The number of the interface that leads there; 0: unknown.
    pub(in crate::scan) interface: u32,
}

/// How many addresses that nobody vouches for are tried at once.
const GUESSES: usize = 256;

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

    /// Begins with as many targets as there is room for.
    fn discover(&mut self, network: &mut impl Network, now: Duration) {
        while !self.bucket.is_empty() && self.has_targets() && self.may_begin() {
            let Some(target) = self.waiting.pop_front().or_else(|| self.targets.next()) else {
                self.exhausted = true;
                return;
            };
            if self.lost_links.contains(&target.interface) || self.is_known(target.address) {
                continue;
            }
            if !self.begin_with(target, network, now) {
                self.waiting.push_front(target);
                self.no_questions_until = now + ROOM;
                return;
            }
            self.progress.addresses += 1;
        }
    }

    fn has_targets(&self) -> bool {
        !self.exhausted || !self.waiting.is_empty()
    }

    fn may_begin(&self) -> bool {
        self.guesses < GUESSES && self.asking.has_room()
    }

    fn is_known(&self, address: Address) -> bool {
        self.by_address.contains_key(&address) || self.asking.contains(address)
    }

    /// False when there was no room for it.
    fn begin_with(&mut self, target: Target, network: &mut impl Network, now: Duration) -> bool {
        if let Some(&mac) = self.cached.get(&target.address) {
            let host = self.found(target, UpBy::CACHED, mac);
            self.ping(host, network);
            return true;
        }
        if !target.on_link || !network.sees_neighbours() {
            let host = self.found(target, UpBy::default(), None);
            self.guesses += 1;
            self.ping(host, network);
            return true;
        }
        match network.ask(target.address) {
            Sent::NotNow => return false,
            Sent::Never => self.asking.in_vain(target),
            Sent::Yes => {
                self.bucket.take();
                self.progress.probes += 1;
                self.asking.asked(target, now);
            }
        }
        true
    }

    fn ping(&mut self, host: usize, network: &mut impl Network) {
        if network.ping(self.hosts[host].target.address) == Sent::Yes {
            self.pings += 1;
            self.progress.probes += 1;
            self.bucket.take();
        }
    }

    fn found(&mut self, target: Target, up_by: UpBy, mac: Option<Mac>) -> usize {
        let index = self.hosts.len();
        let ports = u32::try_from(self.ports.len()).unwrap_or(u32::MAX);
        self.hosts.push(Host::new(target, up_by, mac, ports));
        self.by_address.insert(target.address, index);
        if up_by != UpBy::default() {
            self.progress.hosts += 1;
            self.events.push(Event::Host(self.hosts[index].sighting()));
        }
        self.queue(index);
        index
    }

    fn neighbour(&mut self, address: Address, mac: Option<Mac>, asked: Option<(Target, Duration)>, now: Duration) {
        match asked {
            Some((target, since)) => {
                self.bucket.answered();
                let host = self.found(target, UpBy::NEIGHBOUR, mac);
                self.hosts[host].rtt.sample(now.saturating_sub(since));
                // Its own turn: echo requests go out with the next targets, where there is a network to send them to.
                self.asking.greet(host);
            }
            None => self.proven(address, UpBy::NEIGHBOUR, mac, None),
        }
    }

    fn volunteer(&mut self, address: Address) {
        if !self.by_address.contains_key(&address) {
            let target = match self.asking.settled(address) {
                Some((target, _)) => target,
                None => Target { address, on_link: true, named: false, interface: address.zone },
            };
            self.found(target, UpBy::ICMP, None);
        }
        self.proven(address, UpBy::ICMP, None, None);
    }

    /// Something new is known of a host.
    fn proven(&mut self, address: Address, by: UpBy, mac: Option<Mac>, rtt: Option<Duration>) {
        let Some(&index) = self.by_address.get(&address) else { return };
        let host = &mut self.hosts[index];
        let before = (host.up_by, host.mac);
        let (was_told, was_done) = (host.is_told(), host.is_done());
        host.up_by = host.up_by.and(by);
        host.mac = host.mac.or(mac);
        if let Some(rtt) = rtt {
            host.rtt.sample(rtt);
        }
        if before == (host.up_by, host.mac) {
            return;
        }
        self.events.push(Event::Host(self.hosts[index].sighting()));
        if !was_told {
            self.progress.hosts += 1;
            self.guesses -= usize::from(!was_done);
            for (port, state) in std::mem::take(&mut self.hosts[index].untold) {
                self.tell(index, port, state);
            }
        }
        self.queue(index);
    }

    fn queue(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.queued && host.wants_to_send() {
            host.queued = true;
            self.ready.push_back(index);
        }
    }

    /// Hosts that had to pause and may go on.
    fn resume(&mut self, now: Duration) {
        let (hosts, ready) = (&self.hosts, &mut self.ready);
        self.paused.retain(|&index| {
            let pauses = hosts[index].not_before > now;
            if !pauses {
                ready.push_back(index);
            }
            pauses
        });
    }

    /// One attempt at each host in turn, as long as there is room.
    fn connect(&mut self, network: &mut impl Network, now: Duration) {
        while let Some(host) = self.asking.next_to_greet() {
            self.ping(host, network);
        }
        while self.attempts.len() < self.capacity && !self.bucket.is_empty() {
            let Some(index) = self.ready.pop_front() else { return };
            let host = &mut self.hosts[index];
            host.queued = false;
            if host.not_before > now {
                host.queued = true;
                self.paused.push(index);
                continue;
            }
            let Some(probe) = (if host.wants_to_send() { host.take() } else { None }) else {
                continue;
            };
            if !self.attempt(index, probe, network, now) {
                self.hosts[index].put_back(probe);
                self.queue(index);
                self.no_attempts_until = now + ROOM;
                return;
            }
            self.queue(index);
        }
    }

    /// False when there was no room for it.
    fn attempt(&mut self, index: usize, probe: Probe, network: &mut impl Network, now: Duration) -> bool {
        let attempt = self.attempts.next();
        let (host, port) = (&mut self.hosts[index], self.ports[probe.port as usize]);
        match network.connect(host.target.address, port, attempt) {
            Sent::NotNow => return false,
            Sent::Never => self.settle(index, probe.port, PortState::Filtered),
            Sent::Yes => {
                let deadline = now + host.timeout(probe.tries);
                host.sent(now);
                self.attempts.begin(attempt, Underway { host: index, probe, since: now }, deadline);
                self.bucket.take();
                self.progress.probes += 1;
            }
        }
        true
    }

    fn verdict(&mut self, attempt: Attempt, verdict: Verdict, now: Duration) {
        let Some(Underway { host: index, probe, since }) = self.attempts.end(attempt) else { return };
        self.bucket.answered();
        let host = &mut self.hosts[index];
        host.in_flight -= 1;
        let state = match verdict {
            Verdict::Open => PortState::Open,
            Verdict::Closed => PortState::Closed,
            Verdict::Rejected => PortState::Rejected,
            Verdict::Unreachable => PortState::Filtered,
        };
        if verdict != Verdict::Unreachable {
            host.answered(probe, verdict);
        }
        // An ICMP error may come from a firewall in front of nobody.
        if matches!(verdict, Verdict::Open | Verdict::Closed) {
            // Karn's rule: whose answer it is, is certain only for the first attempt.
            let rtt = (probe.tries == 0).then(|| now.saturating_sub(since));
            let address = host.target.address;
            if let Some(rtt) = rtt.filter(|_| host.up_by.contains(UpBy::TCP)) {
                host.rtt.sample(rtt);
            } else {
                self.proven(address, UpBy::TCP, None, rtt);
            }
        }
        self.settle(index, probe.port, state);
    }

    /// Attempts whose time is up are repeated or given up.
    fn expire(&mut self, network: &mut impl Network, now: Duration) {
        while let Some(attempt) = self.attempts.expired(now) {
            network.abandon(attempt);
            let Some(Underway { host: index, probe, .. }) = self.attempts.end(attempt) else { continue };
            let host = &mut self.hosts[index];
            host.in_flight -= 1;
            if host.was_silent(probe, now, self.pace.retries()) {
                self.queue(index);
            } else {
                self.settle(index, probe.port, PortState::Filtered);
            }
        }
    }

    /// A port is known.
    fn settle(&mut self, index: usize, port: u32, state: PortState) {
        if self.hosts[index].is_told() {
            self.tell(index, port, state);
        } else {
            self.hosts[index].untold.push((port, state));
            self.guesses -= usize::from(self.hosts[index].is_done());
        }
        self.queue(index);
    }

    fn tell(&mut self, index: usize, port: u32, state: PortState) {
        let host = &mut self.hosts[index];
        host.told += 1;
        self.progress.ports += 1;
        let (address, port) = (host.target.address, self.ports[port as usize]);
        self.events.push(Event::Port { address, port, state });
    }

    fn link_lost(&mut self, interface: u32) {
        if interface != 0 && !self.lost_links.contains(&interface) {
            self.lost_links.push(interface);
            self.asking.forget(interface);
            self.hosts.iter_mut().filter(|host| host.target.interface == interface).for_each(Host::give_up);
            self.guesses = self.hosts.iter().filter(|host| !host.is_told() && !host.is_done()).count();
        }
    }
}

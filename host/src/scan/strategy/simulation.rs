//! A network with a clock of its own, which loses, delays, reorders and limits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::scan::{Ending, PortState};

/// What a host does with a connection to a port on which nothing listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Rst,
    Reject,
    Drop,
}

/// A host of the simulation.
#[derive(Debug, Clone)]
pub(super) struct Simulated {
    pub(super) manner: Manner,
    pub(super) open: BTreeSet<u16>,
    /// Ports that are refused with RST, whatever its manner.
    pub(super) refused: BTreeSet<u16>,
    /// Whether it answers echo requests.
    pub(super) echo: bool,
    /// There and back, at least.
    pub(super) rtt: Duration,
    /// What is added to it at random, so that answers overtake each other.
    pub(super) jitter: Duration,
    /// Of packets, in either direction.
    pub(super) loss: f64,
    /// RSTs in a second.
    pub(super) rst_limit: Option<u32>,
}

impl Simulated {
    pub(super) fn new(manner: Manner) -> Self {
        let (open, rtt, jitter) = (BTreeSet::from([8001]), Duration::from_micros(300), Duration::from_micros(100));
        Self { manner, open, refused: BTreeSet::new(), echo: true, rtt, jitter, loss: 0.0, rst_limit: None }
    }
}

/// The network, and what was done to it.
#[derive(Debug, Default)]
pub(super) struct Simulation {
    pub(super) hosts: HashMap<Address, Simulated>,
    pub(super) sees_neighbours: bool,
    pub(super) room: usize,
    random: fastrand::Rng,
    now: Duration,
    arriving: BinaryHeap<Reverse<(Duration, usize)>>,
    signals: Vec<Signal>,
    rsts: HashMap<Address, (u64, u32)>,
    open_attempts: HashSet<Attempt>,
    unresolved: BinaryHeap<Reverse<Duration>>,
    /// Packets in each millisecond.
    pub(super) sent: BTreeMap<u128, usize>,
    pub(super) most_attempts: usize,
    pub(super) most_unresolved: usize,
}

/// What a scan of a simulation came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) hosts: BTreeMap<Address, UpBy>,
    pub(super) ports: BTreeMap<(Address, u16), PortState>,
    pub(super) took: Duration,
    pub(super) probes: u64,
    pub(super) unanswered: Vec<Address>,
}

pub(super) fn address(number: u32) -> Address {
    Address::routed(Ipv4Addr::from(0x0a00_0000 + number).into())
}

pub(super) fn on_link(number: u32) -> Target {
    Target { address: address(number), on_link: true, named: false, interface: 2 }
}

impl Simulation {
    pub(super) fn new(hosts: impl IntoIterator<Item = (u32, Simulated)>, seed: u64) -> Self {
        let hosts = hosts.into_iter().map(|(number, host)| (address(number), host)).collect();
        let random = fastrand::Rng::with_seed(seed);
        Self { hosts, sees_neighbours: true, room: 4096, random, ..Self::default() }
    }

    /// Scans, to the end or for a virtual hour.
    pub(super) fn scan(&mut self, targets: Vec<Target>, ports: &[u16], pace: Pace, rate: Option<u32>) -> Outcome {
        let ports: Arc<[Port]> = ports.iter().filter_map(|&port| Port::new(port)).collect();
        self.run(Strategy::new(targets.into_iter(), ports, pace, rate))
    }

    pub(super) fn run<T: Iterator<Item = Target>>(&mut self, mut strategy: Strategy<T>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut idle = 0;
        loop {
            while let Some(&Reverse((at, signal))) = self.arriving.peek().filter(|Reverse((at, _))| *at <= self.now) {
                self.arriving.pop();
                if let Signal::Verdict(attempt, _) = self.signals[signal] {
                    self.open_attempts.remove(&attempt);
                }
                strategy.hear(self.signals[signal], at.max(self.now));
            }
            let wake = strategy.act(self, self.now);
            self.most_attempts = self.most_attempts.max(self.open_attempts.len());
            strategy.events().for_each(|event| outcome.take(&event));
            let Some(wake) = wake else { break };
            let next = self.arriving.peek().map_or(wake, |Reverse((at, _))| wake.min(*at)).max(self.now);
            idle = if next == self.now { idle + 1 } else { 0 };
            assert!(idle < 1000, "busy without getting anywhere at {next:?}");
            assert!(next < Duration::from_secs(3600), "no end in sight");
            self.now = next;
        }
        outcome.took = self.now;
        outcome.probes = strategy.progress().probes;
        outcome.unanswered = strategy.unanswered().collect();
        outcome
    }

    fn later(&mut self, delay: Duration, signal: Signal) {
        self.arriving.push(Reverse((self.now + delay, self.signals.len())));
        self.signals.push(signal);
    }

    fn count(&mut self) {
        *self.sent.entry(self.now.as_millis()).or_default() += 1;
    }

    /// How long the host takes this time; none when a packet is lost.
    fn delay(&mut self, host: &Simulated) -> Option<Duration> {
        let lost = self.random.f64() < host.loss || self.random.f64() < host.loss;
        (!lost).then(|| host.rtt + host.jitter.mul_f64(self.random.f64()))
    }

    fn may_rst(&mut self, address: Address, host: &Simulated) -> bool {
        let Some(limit) = host.rst_limit else { return true };
        let second = self.now.as_secs();
        let (counted, count) = self.rsts.entry(address).or_default();
        if *counted != second {
            (*counted, *count) = (second, 0);
        }
        *count += 1;
        *count <= limit
    }
}

impl Network for Simulation {
    fn sees_neighbours(&self) -> bool {
        self.sees_neighbours
    }

    fn capacity(&self) -> usize {
        self.room
    }

    fn ask(&mut self, address: Address) -> Sent {
        while self.unresolved.peek().is_some_and(|Reverse(until)| *until <= self.now) {
            self.unresolved.pop();
        }
        if self.unresolved.len() >= 1024 {
            return Sent::NotNow;
        }
        self.count();
        match self.hosts.get(&address).cloned() {
            Some(host) => self.later(host.rtt, Signal::Neighbour(address, Some(Mac([2, 0, 0, 0, 0, 1])))),
            None => {
                let gives_up = Duration::from_millis(3_050);
                self.unresolved.push(Reverse(self.now + gives_up));
                self.later(gives_up, Signal::NoNeighbour(address));
            }
        }
        self.most_unresolved = self.most_unresolved.max(self.unresolved.len());
        Sent::Yes
    }

    fn ping(&mut self, address: Address) -> Sent {
        self.count();
        let host = self.hosts.get(&address).filter(|host| host.echo).cloned();
        match host.and_then(|host| self.delay(&host)).filter(|delay| *delay < Duration::from_secs(1)) {
            Some(delay) => self.later(delay, Signal::Echo(address, delay)),
            None => self.later(Duration::from_secs(1), Signal::NoEcho(address)),
        }
        Sent::Yes
    }

    fn connect(&mut self, address: Address, port: Port, attempt: Attempt) -> Sent {
        self.count();
        assert!(self.open_attempts.insert(attempt), "a place was used twice");
        let Some(host) = self.hosts.get(&address).cloned() else { return Sent::Yes };
        let Some(delay) = self.delay(&host) else { return Sent::Yes };
        let verdict = match host.manner {
            _ if host.open.contains(&port.get()) => Verdict::Open,
            _ if host.refused.contains(&port.get()) => Verdict::Closed,
            Manner::Rst if self.may_rst(address, &host) => Verdict::Closed,
            Manner::Reject => Verdict::Rejected,
            _ => return Sent::Yes,
        };
        self.later(delay, Signal::Verdict(attempt, verdict));
        Sent::Yes
    }

    /// Its verdict may arrive all the same: the strategy has to know better.
    fn abandon(&mut self, attempt: Attempt) {
        assert!(self.open_attempts.remove(&attempt), "nothing to abandon");
    }
}

impl Outcome {
    fn take(&mut self, event: &Event) {
        match *event {
            Event::Host(sighting) => {
                self.hosts.insert(sighting.address, sighting.up_by);
            }
            Event::Port { address, port, state } => {
                assert!(self.hosts.contains_key(&address), "a port of a host that was not told of");
                let before = self.ports.insert((address, port.get()), state);
                assert_eq!(before, None, "{address}:{port} was told twice");
            }
            Event::Finished(Ending::Complete) | Event::Note(_) => {}
            Event::Finished(ending) => panic!("{ending:?}"),
        }
    }

    /// How many ports of the host are in this state.
    pub(super) fn count(&self, number: u32, state: PortState) -> usize {
        let of_host = self.ports.iter().filter(|((host, _), _)| *host == address(number));
        of_host.filter(|(_, other)| **other == state).count()
    }
}

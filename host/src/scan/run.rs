//! A scan under way: the strategy on the real network, as a stream of events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use super::net::{APART, Families, Net};
use super::own::OwnPorts;
use super::strategy::{Pace, Signal, Strategy, Target};
use super::{Address, Ending, Event, Progress, ScanError, Sighting, Targets, UpBy};
use crate::model::PortSet;

/// What to look for, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The ports to try on each host.
    pub ports: PortSet,
    /// How thorough.
    pub pace: Pace,
    /// The most packets to send in a second; none: as fast as the network answers, and 20,000 a second where it does not.
    pub rate: Option<u32>,
    /// When to stop, whether everything is known or not.
    pub time_limit: Option<Duration>,
}

impl Options {
    /// These ports, at the usual pace.
    #[must_use]
    pub fn new(ports: PortSet) -> Self {
        Self { ports, pace: Pace::default(), rate: None, time_limit: None }
    }
}

/// How often the network is listened to in a row before something is sent again.
const LISTEN: usize = 16;

/// How long hosts may take to answer a call to all.
const CALL: Duration = Duration::from_millis(500);

/// A scan under way: a stream that ends with [`Event::Finished`]. Dropped, it stops.
pub struct Scan {
    net: Net,
    strategy: Strategy<Box<dyn Iterator<Item = Target> + Send>>,
    targets: Targets,
    own: VecDeque<OwnPorts>,
    own_hosts: u64,
    own_done: u64,
    ports: u64,
    started: Instant,
    sleep: Pin<Box<Sleep>>,
    time_limit: Option<Duration>,
    signals: Vec<Signal>,
    events: VecDeque<Event>,
    lost: Vec<u32>,
    finished: bool,
}

/// Starts a scan.
///
/// Only networks that are yours, or whose owners agree, are yours to scan.
///
/// # Errors
/// [`ScanError::Sockets`]. What is merely not permitted is an [`Event::Note`].
///
/// # Panics
/// Outside of a tokio runtime with its I/O and time drivers enabled.
pub fn scan(targets: Targets, options: &Options) -> Result<Scan, ScanError> {
    let ports: Arc<[_]> = options.ports.ports().collect();
    let (ipv4, ipv6) = if targets.others().next().is_some() { targets.families() } else { (false, false) };
    let (mut net, notes) = Net::open(Families { ipv4, ipv6 }, options.pace)?;
    let others: Box<dyn Iterator<Item = Target> + Send> = Box::new(targets.others());
    let mut strategy = Strategy::new(others, Arc::clone(&ports), options.pace, options.rate);
    let mut events: VecDeque<_> = targets.notes().iter().cloned().chain(notes).map(Event::Note).collect();
    if !call_all(&targets, &mut net, &mut strategy) {
        events.push_back(Event::Note(
            "not permitted to call all IPv6 hosts (ff02::1): only likely addresses are asked".to_owned(),
        ));
    }
    let own: VecDeque<_> = targets.own().map(|address| OwnPorts::new(address, Arc::clone(&ports))).collect();
    let up_by = UpBy::OWN;
    events.extend(
        own.iter().map(|own| Event::Host(Sighting { address: own.address, mac: None, up_by, rtt: None, own: true })),
    );
    let started = Instant::now();
    Ok(Scan {
        net,
        strategy,
        own_hosts: own.len() as u64,
        own_done: 0,
        own,
        targets,
        ports: ports.len() as u64,
        started,
        sleep: Box::pin(tokio::time::sleep_until(started)),
        time_limit: options.time_limit,
        signals: Vec::new(),
        events,
        lost: Vec::new(),
        finished: false,
    })
}

/// False when it is not permitted.
fn call_all<T: Iterator<Item = Target>>(targets: &Targets, net: &mut Net, strategy: &mut Strategy<T>) -> bool {
    let callers: Vec<_> = targets.callers().collect();
    let called = callers.iter().filter(|&&(from, interface)| net.call_all(from, interface)).count();
    if called > 0 {
        strategy.expect_volunteers(APART * 3 + CALL);
    }
    called > 0 || callers.is_empty()
}

impl Scan {
    /// How far it has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let others = self.strategy.progress();
        Progress {
            addresses: others.addresses + self.own_hosts,
            of_addresses: self.targets.len().max(others.addresses + self.own_hosts),
            hosts: others.hosts + self.own_hosts,
            ports: others.ports + self.own_done,
            of_ports: others.of_ports + self.own_hosts * self.ports,
            probes: others.probes + self.own_done,
        }
    }

    /// What it looks at.
    #[must_use]
    pub fn targets(&self) -> &Targets {
        &self.targets
    }

    /// How long it has been going on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Takes in what the network says. Whether it said anything.
    fn listen(&mut self, context: &mut Context<'_>) -> Result<bool, ScanError> {
        for round in 0..LISTEN {
            match self.net.poll(context, &mut self.signals) {
                Poll::Ready(result) => result?,
                Poll::Pending => return Ok(round > 0),
            }
            let (now, signals) = (self.elapsed(), std::mem::take(&mut self.signals));
            for &signal in &signals {
                self.hear(signal, now);
            }
            self.signals = signals;
            self.signals.clear();
        }
        Ok(true)
    }

    fn hear(&mut self, signal: Signal, now: Duration) {
        let asked = |seen| self.targets.as_asked(seen);
        let signal = match signal {
            Signal::Cached(seen, mac) => asked(seen).map(|address| Signal::Cached(address, mac)),
            Signal::Neighbour(seen, mac) => asked(seen).map(|address| Signal::Neighbour(address, mac)),
            Signal::NoNeighbour(seen) => asked(seen).map(Signal::NoNeighbour),
            Signal::Volunteer(seen) => {
                asked(seen).filter(|&address| self.targets.welcomes(address)).map(Signal::Volunteer)
            }
            other => Some(other),
        };
        if let Some(signal) = signal {
            self.hear_of(signal, now);
        }
    }

    fn hear_of(&mut self, signal: Signal, now: Duration) {
        match signal {
            Signal::LinkLost(interface) => {
                let Some(name) = self.targets.interface_name(interface) else { return };
                if self.lost.contains(&interface) {
                    return;
                }
                self.events
                    .push_back(Event::Note(format!("the interface {name} went away: what it led to is incomplete")));
                self.lost.push(interface);
            }
            // Who is known already in a network of which not every address is asked.
            Signal::Cached(address, _) => {
                self.strategy.hear(signal, now);
                if let Some(target) = self.targets.known_neighbour(address) {
                    self.strategy.add(target);
                }
                return;
            }
            Signal::Neighbour(address, Some(mac)) => {
                let interface = self.targets.interface_of(address);
                self.targets.of_card(mac, interface).into_iter().for_each(|target| self.strategy.add(target));
            }
            _ => {}
        }
        self.strategy.hear(signal, now);
    }

    /// Looks at some ports of our own.
    fn look_at_own(&mut self) {
        let Some(own) = self.own.front_mut() else { return };
        let Some(seen) = own.look() else {
            self.own.pop_front();
            return;
        };
        self.own_done += seen.len() as u64;
        let address: Address = own.address;
        self.events.extend(seen.into_iter().map(|(port, state)| Event::Port { address, port, state }));
    }

    fn finish(&mut self, ending: Ending) {
        for address in self.strategy.unanswered() {
            self.events.push_back(Event::Note(format!("{address} does not answer: it is down, or drops everything")));
        }
        let broken = ending == Ending::Complete && !self.lost.is_empty();
        self.events.push_back(Event::Finished(if broken { Ending::Broken } else { ending }));
        self.finished = true;
    }

    /// One round: hear, do, report. Pending when there is nothing to do until something happens.
    fn go_on(&mut self, context: &mut Context<'_>) -> Result<Poll<()>, ScanError> {
        self.look_at_own();
        self.listen(context)?;
        let now = self.elapsed();
        if self.time_limit.is_some_and(|limit| now >= limit) {
            self.events.push_back(Event::Note(format!("stopped after {:.1} s, as asked", now.as_secs_f64())));
            self.finish(Ending::TimeUp);
            return Ok(Poll::Ready(()));
        }
        let wake = self.strategy.act(&mut self.net, now);
        self.events.extend(self.strategy.events());
        if !self.events.is_empty() || !self.own.is_empty() {
            return Ok(Poll::Ready(()));
        }
        let Some(wake) = wake else {
            self.finish(Ending::Complete);
            return Ok(Poll::Ready(()));
        };
        // Near hosts have answered by now.
        if self.listen(context)? {
            return Ok(Poll::Ready(()));
        }
        let wake = self.time_limit.map_or(wake, |limit| wake.min(limit));
        self.sleep.as_mut().reset(self.started + wake);
        Ok(self.sleep.as_mut().poll(context))
    }
}

impl Stream for Scan {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.events.pop_front() {
                return Poll::Ready(Some(event));
            }
            if this.finished {
                return Poll::Ready(None);
            }
            match this.go_on(context) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => return Poll::Pending,
                Err(error) => {
                    this.events.push_back(Event::Note(error.to_string()));
                    this.finish(Ending::Broken);
                }
            }
        }
    }
}

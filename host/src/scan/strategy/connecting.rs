//! Trying the ports of the hosts that were found: attempts, their ends, and what they show.

use std::time::Duration;

use super::attempts::{Probe, Underway};
use super::{Attempt, Network, ROOM, Sent, Strategy, Target, Verdict};
use crate::scan::{Event, PortState, UpBy};

impl<T: Iterator<Item = Target>> Strategy<T> {
    pub(super) fn queue(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        if !host.queued && host.wants_to_send() {
            host.queued = true;
            self.ready.push_back(index);
        }
    }

    /// Hosts that had to pause and may go on.
    pub(super) fn resume(&mut self, now: Duration) {
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
    pub(super) fn connect(&mut self, network: &mut impl Network, now: Duration) {
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

    pub(super) fn verdict(&mut self, attempt: Attempt, verdict: Verdict, now: Duration) {
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
        // An ICMP error may come from a firewall with no host behind it.
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
    pub(super) fn expire(&mut self, network: &mut impl Network, now: Duration) {
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

    pub(super) fn tell(&mut self, index: usize, port: u32, state: PortState) {
        let host = &mut self.hosts[index];
        host.told += 1;
        self.progress.ports += 1;
        let (address, port) = (host.target.address, self.ports[port as usize]);
        self.events.push(Event::Port { address, port, state });
    }
}

//! Finding hosts: which ones a scan begins with, and what becomes of what is heard of them.

use std::time::Duration;

use super::host::Host;
use super::{Network, ROOM, Sent, Strategy, Target};
use crate::scan::{Address, Event, Mac, UpBy};

/// How many addresses without a sign of a host are tried in parallel.
const GUESSES: usize = 256;

impl<T: Iterator<Item = Target>> Strategy<T> {
    /// Begins with as many targets as there is room for.
    pub(super) fn discover(&mut self, network: &mut impl Network, now: Duration) {
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

    pub(super) fn has_targets(&self) -> bool {
        !self.exhausted || !self.waiting.is_empty()
    }

    pub(super) fn may_begin(&self) -> bool {
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

    pub(super) fn ping(&mut self, host: usize, network: &mut impl Network) {
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

    pub(super) fn neighbour(
        &mut self,
        address: Address,
        mac: Option<Mac>,
        asked: Option<(Target, Duration)>,
        now: Duration,
    ) {
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

    pub(super) fn volunteer(&mut self, address: Address) {
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
    pub(super) fn proven(&mut self, address: Address, by: UpBy, mac: Option<Mac>, rtt: Option<Duration>) {
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

    pub(super) fn link_lost(&mut self, interface: u32) {
        if interface != 0 && !self.lost_links.contains(&interface) {
            self.lost_links.push(interface);
            self.asking.forget(interface);
            self.hosts.iter_mut().filter(|host| host.target.interface == interface).for_each(Host::give_up);
            self.guesses = self.hosts.iter().filter(|host| !host.is_told() && !host.is_done()).count();
        }
    }
}

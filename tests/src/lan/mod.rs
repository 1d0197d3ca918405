//! A local network that is made for a test, and gone with it: nothing in it has a way out.
//!
//! Two network namespaces are joined by a cable. One is the scanner's, 10.77.0.253 and fd77::fd. The other has the addresses of all
//! hosts on one card, and a packet filter that gives each its manner. A slow host has a namespace of its own, behind a relay.

mod kind;

pub use kind::Kind;

use crate::{Namespace, Own, Sandbox, StandIn, program_or_skip};

/// A local network, 10.77.0.0/24 and fd77::/64.
#[derive(Debug)]
pub struct Lan<'a> {
    sandbox: &'a Sandbox,
    scanner: Namespace,
    hosts: Namespace,
    others: Vec<Namespace>,
    running: Vec<StandIn>,
}

/// The scanner's side. Addresses are usable immediately, without a second of duplicate address detection.
const SCANNER: &str = "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
    ip addr add 10.77.0.253/24 dev eth0
    ip addr add fd77::fd/64 dev eth0 nodad
    ip link set eth0 up";

/// The hosts' side. Errors are sent as often as they occur, so that what a test sees does not depend on its speed.
const HOSTS: &str = "echo 0 > /proc/sys/net/ipv6/conf/eth0/accept_dad
    echo 0 > /proc/sys/net/ipv4/icmp_ratelimit
    echo 0 > /proc/sys/net/ipv6/icmp/ratelimit
    ip link add br0 type bridge
    ip link set eth0 master br0
    ip link set eth0 up
    ip link set br0 up";

const FILTER: &str = "table inet lan {
    chain input { type filter hook input priority 0; }
    chain output { type filter hook output priority 0; }
}";

impl<'a> Lan<'a> {
    /// An empty one, or says aloud that this machine does not let us.
    ///
    /// # Panics
    /// When what should be possible is not.
    #[must_use]
    #[track_caller]
    pub fn or_skip(sandbox: &'a Sandbox) -> Option<Self> {
        program_or_skip("ip")?;
        program_or_skip("nft")?;
        let scanner = Namespace::or_skip(Own::Network)?;
        let hosts = scanner.beside();
        let lan = Self { sandbox, scanner, hosts, others: Vec::new(), running: Vec::new() };
        lan.cable("eth0", &lan.hosts, "eth0");
        lan.at_scanner(SCANNER);
        lan.at_hosts(HOSTS);
        lan.filter(FILTER);
        lan.wait_for_bridge("eth0");
        lan.wait_for_link(&lan.scanner, "eth0");
        Some(lan)
    }

    /// The scanner's namespace.
    #[must_use]
    pub fn scanner(&self) -> &Namespace {
        &self.scanner
    }

    /// The namespace of the hosts.
    #[must_use]
    pub fn hosts(&self) -> &Namespace {
        &self.hosts
    }

    /// A host with the addresses 10.77.0.NUMBER and fd77::NUMBER (in hexadecimal), and servers on these ports.
    #[track_caller]
    pub fn host(&mut self, number: u8, kind: Kind, open: &[u16]) {
        self.crowd(&[(number, kind, open.to_vec())]);
    }

    /// Many hosts.
    #[track_caller]
    pub fn crowd(&mut self, crowd: &[(u8, Kind, Vec<u16>)]) {
        self.at_hosts(&addresses("br0", crowd.iter().map(|(number, ..)| *number)));
        self.filter(&crowd.iter().map(|(number, kind, open)| kind.rules(*number, open)).collect::<String>());
        let servers: Vec<_> = crowd.iter().flat_map(|(number, _, open)| servers(*number, open)).collect();
        self.listen(&self.hosts, &servers).into_iter().for_each(|server| self.running.push(server));
    }

    /// Normal hosts, every packet to and from which takes so long.
    #[track_caller]
    pub fn slow_crowd(&mut self, crowd: &[(u8, Vec<u16>)], milliseconds: u32) {
        let place = self.scanner.beside();
        let pid = place.pid();
        self.at_hosts(&format!(
            "ip link add near type veth peer name near-relay
             ip link add far-relay type veth peer name eth0 netns {pid}
             for link in near-relay far-relay; do echo 1 > /proc/sys/net/ipv6/conf/$link/disable_ipv6; done
             ip link set near master br0
             for link in near near-relay far-relay; do ip link set $link up; done"
        ));
        let numbers = crowd.iter().map(|(number, _)| *number);
        self.script(&place, &format!("ip link set eth0 up\n{}", addresses("eth0", numbers)));
        let relay = self.sandbox.program("python3").arg("-c").arg(include_str!("relay.py"));
        let relay = relay.words(&format!("near-relay far-relay {milliseconds}")).inside(&self.hosts);
        self.running.push(StandIn::start(relay.command()));
        self.wait_for_bridge("near");
        for (namespace, link) in [(&self.hosts, "near-relay"), (&self.hosts, "far-relay"), (&place, "eth0")] {
            self.wait_for_link(namespace, link);
        }
        let servers: Vec<_> = crowd.iter().flat_map(|(number, open)| servers(*number, open)).collect();
        self.listen(&place, &servers).into_iter().for_each(|server| self.running.push(server));
        self.others.push(place);
    }

    /// One program for all of these servers.
    #[track_caller]
    fn listen(&self, namespace: &Namespace, servers: &[String]) -> Option<StandIn> {
        let run = || self.sandbox.stand_in_run(&format!("accept {}", servers.join(" "))).inside(namespace);
        (!servers.is_empty()).then(|| StandIn::start(run().command()))
    }

    /// Joins the scanner's namespace to another one.
    #[track_caller]
    pub fn cable(&self, here: &str, there: &Namespace, name: &str) {
        let pid = there.pid();
        self.at_scanner(&format!("ip link add {here} type veth peer name {name} netns {pid}"));
    }

    /// Another namespace, to be joined.
    #[must_use]
    #[track_caller]
    pub fn another(&self) -> Namespace {
        self.scanner.beside()
    }

    /// Waits until the interface carries packets, which the kernel finds out by itself, some time after it was switched on.
    #[track_caller]
    pub fn wait_for_link(&self, namespace: &Namespace, name: &str) {
        self.script(namespace, &format!("until ip -o link show {name} | grep -q 'state UP'; do sleep 0.01; done"));
    }

    #[track_caller]
    fn wait_for_bridge(&self, port: &str) {
        self.at_hosts(&format!("until bridge link show dev {port} | grep -q 'state forwarding'; do sleep 0.01; done"));
    }

    /// A script on the scanner's side.
    #[track_caller]
    pub fn at_scanner(&self, script: &str) {
        self.script(&self.scanner, script);
    }

    /// A script on the hosts' side.
    #[track_caller]
    pub fn at_hosts(&self, script: &str) {
        self.script(&self.hosts, script);
    }

    /// A script anywhere.
    #[track_caller]
    pub fn script(&self, namespace: &Namespace, script: &str) {
        let _ = self.sandbox.program("sh").words("-eu -c").arg(script).inside(namespace).ok();
    }

    /// Rules of the hosts' packet filter.
    #[track_caller]
    pub fn filter(&self, rules: &str) {
        if !rules.is_empty() {
            let _ = self.sandbox.program("nft").words("-f -").stdin(rules).inside(&self.hosts).ok();
        }
    }
}

fn addresses(link: &str, numbers: impl Iterator<Item = u8>) -> String {
    let address = |number| {
        format!("ip addr add 10.77.0.{number}/24 dev {link}; ip addr add fd77::{number:x}/64 dev {link} nodad\n")
    };
    numbers.map(address).collect()
}

fn servers(number: u8, open: &[u16]) -> impl Iterator<Item = String> {
    open.iter().map(move |port| format!("10.77.0.{number}:{port} [fd77::{number:x}]:{port}"))
}

//! The real network: sockets, netlink and privileges.

mod ask;
mod connects;
mod limits;
mod multicast;
mod neighbours;
#[cfg(target_os = "linux")]
mod options;
mod ping;
#[cfg(target_os = "linux")]
mod watch;

use std::io;
use std::net::Ipv6Addr;
use std::task::{Context, Poll};

use ask::Asker;
use connects::{Connects, Started};
use multicast::Multicast;
use neighbours::Neighbours;
use ping::Pinger;

pub(super) use multicast::APART;

use super::strategy::{Attempt, Network, Pace, Sent, Signal, Verdict};
use super::{Address, ScanError};
use crate::fs::describe;
use crate::model::Port;

/// Which protocols a scan will speak.
#[derive(Debug, Clone, Copy)]
pub(super) struct Families {
    pub(super) ipv4: bool,
    pub(super) ipv6: bool,
}

/// The network as this process may use it.
pub(super) struct Net {
    connects: Connects,
    neighbours: Option<Neighbours>,
    asker: Asker,
    pinger: Pinger,
    multicasts: Vec<Multicast>,
    capacity: usize,
    /// Heard, and not handed out yet.
    heard: Vec<Signal>,
    verdicts: Vec<(Attempt, Verdict)>,
}

impl Net {
    /// Opens what may be opened. What is not possible, and does no harm, is returned as notes.
    pub(super) fn open(families: Families, pace: Pace) -> Result<(Self, Vec<String>), ScanError> {
        let mut notes = Vec::new();
        let mut heard = Vec::new();
        let capacity = limits::sockets();
        let connects = Connects::new().map_err(ScanError::Sockets)?;
        let neighbours = Neighbours::open(&mut heard).map_err(|error| notes.push(no_neighbours(&error))).ok();
        let (pinger, missing) = Pinger::new(pace.echo(), families.ipv4, families.ipv6);
        notes.extend(missing.map(|error| no_echo(&error)));
        let net = Self {
            connects,
            neighbours,
            asker: Asker::default(),
            pinger,
            multicasts: Vec::new(),
            capacity,
            heard,
            verdicts: Vec::new(),
        };
        Ok((net, notes))
    }

    /// Asks all IPv6 hosts of a link to show themselves. Whether that is possible.
    pub(super) fn call_all(&mut self, from: Ipv6Addr, interface: u32) -> bool {
        let multicast = Multicast::open(from, interface);
        let possible = multicast.is_ok();
        self.multicasts.extend(multicast);
        possible
    }

    /// Waits until something is heard.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, signals: &mut Vec<Signal>) -> Poll<Result<(), ScanError>> {
        signals.append(&mut self.heard);
        if let Some(neighbours) = &mut self.neighbours {
            let _ = neighbours.poll(context, signals);
        }
        let _ = self.pinger.poll(context, signals);
        for multicast in &mut self.multicasts {
            let _ = multicast.poll(context, signals);
        }
        if let Poll::Ready(Err(error)) = self.connects.poll(context, &mut self.verdicts) {
            return Poll::Ready(Err(ScanError::Sockets(error)));
        }
        signals.extend(self.verdicts.drain(..).map(|(attempt, verdict)| Signal::Verdict(attempt, verdict)));
        if signals.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl Network for Net {
    fn sees_neighbours(&self) -> bool {
        self.neighbours.is_some()
    }

    fn capacity(&self) -> usize {
        self.capacity
    }

    fn ask(&mut self, address: Address) -> Sent {
        self.asker.ask(address)
    }

    fn ping(&mut self, address: Address) -> Sent {
        self.pinger.ping(address)
    }

    fn connect(&mut self, address: Address, port: Port, attempt: Attempt) -> Sent {
        match self.connects.start(address.socket(port), address.zone, attempt) {
            Started::Yes => Sent::Yes,
            Started::NotNow => Sent::NotNow,
            Started::Never => Sent::Never,
            Started::Over(verdict) => {
                self.heard.push(Signal::Verdict(attempt, verdict));
                Sent::Yes
            }
        }
    }

    fn abandon(&mut self, attempt: Attempt) {
        self.connects.abandon(attempt);
    }
}

fn no_neighbours(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::Unsupported => {
            "this system does not tell who answers on the link, so hosts that answer neither ICMP nor \
                                       TCP are not seen"
                .to_owned()
        }
        _ => format!(
            "the neighbor table cannot be read ({}), so hosts that answer neither ICMP nor TCP are not seen",
            describe(error)
        ),
    }
}

fn no_echo(error: &io::Error) -> String {
    let why = if error.kind() == io::ErrorKind::PermissionDenied {
        "this user may not send echo requests (Linux: net.ipv4.ping_group_range, or CAP_NET_RAW)".to_owned()
    } else {
        format!("no socket for echo requests: {}", describe(error))
    };
    format!("no ICMP: {why}; hosts are found by ARP, Neighbour Discovery and TCP")
}

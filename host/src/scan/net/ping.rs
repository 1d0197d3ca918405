//! ICMP echo, where this user may send it.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence};

use crate::scan::Address;
use crate::scan::strategy::{Sent, Signal};

type Echo = Pin<Box<dyn Future<Output = Signal> + Send>>;

/// Echo requests under way.
pub(super) struct Pinger {
    ipv4: Option<Client>,
    ipv6: Option<Client>,
    patience: Duration,
    echoes: FuturesUnordered<Echo>,
}

impl Pinger {
    /// Opens a socket for each family that is asked for and may be had: a datagram socket if the user's group is in
    /// `ping_group_range` (icmp(7)), a raw one with CAP_NET_RAW. Says what is missing.
    pub(super) fn new(patience: Duration, ipv4: bool, ipv6: bool) -> (Self, Option<io::Error>) {
        let mut missing = None;
        let mut open = |wanted: bool, kind: ICMP| {
            let config = Config::builder().kind(kind).build();
            let client = wanted.then(|| Client::new(&config))?;
            client.map_err(|error| missing = Some(error)).ok()
        };
        let (ipv4, ipv6) = (open(ipv4, ICMP::V4), open(ipv6, ICMP::V6));
        (Self { ipv4, ipv6, patience, echoes: FuturesUnordered::new() }, missing)
    }

    pub(super) fn ping(&mut self, address: Address) -> Sent {
        let client = match address.ip {
            IpAddr::V4(_) => &self.ipv4,
            IpAddr::V6(_) => &self.ipv6,
        };
        let Some(client) = client.clone() else { return Sent::Never };
        self.echoes.push(Box::pin(echo(client, address, self.patience)));
        Sent::Yes
    }

    /// Waits for answers.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, heard: &mut Vec<Signal>) -> Poll<()> {
        while let Poll::Ready(Some(signal)) = self.echoes.poll_next_unpin(context) {
            heard.push(signal);
        }
        if heard.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }
}

async fn echo(client: Client, address: Address, patience: Duration) -> Signal {
    let mut pinger = client.pinger(address.ip, PingIdentifier(fastrand::u16(..))).await;
    pinger.timeout(patience).scope_id(address.zone);
    match pinger.ping(PingSequence(0), &[]).await {
        Ok((_, rtt)) => Signal::Echo(address, rtt),
        Err(_) => Signal::NoEcho(address),
    }
}

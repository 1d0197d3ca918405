//! Arguments of commands that look around the network.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;

use super::duration::duration;
use super::number::count;
use crate::model::Host;
use crate::scan::{Family, IpNet, Options, Pace, Wanted};

/// Where to look, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network options")]
pub(crate) struct NetworkArgs {
    /// Scan the networks of this interface. Can be given several times
    #[arg(long, value_name = "NAME")]
    interface: Vec<String>,

    /// Scan this network: 192.0.2.0/24. Can be given several times
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    cidr: Vec<IpNet>,

    /// Scan IPv4 only; with -6, both
    #[arg(short = '4')]
    ipv4: bool,

    /// Scan IPv6: hosts that answer ff02::1, known neighbors, likely addresses (subnets are too large to sweep)
    #[arg(short = '6')]
    ipv6: bool,

    /// Short timeouts, for fast networks
    #[arg(long)]
    fast: bool,

    /// Long timeouts and more retries, for lossy networks
    #[arg(long, conflicts_with = "fast")]
    thorough: bool,

    /// Stop after this long, print what was found, and exit with 1
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,

    /// The largest number of packets to send in a second [default: as fast as the network answers, and 20000 where it does not]
    #[arg(long, value_name = "N", value_parser = count::<u32>)]
    rate: Option<u32>,

    /// Scan large networks in full
    #[arg(long)]
    yes: bool,
}

impl NetworkArgs {
    /// What to scan, these hosts and networks included.
    pub(crate) fn wanted(&self, hosts: &[Host], networks: impl IntoIterator<Item = IpNet>) -> Wanted {
        let families = [(self.ipv4, Family::V4), (self.ipv6, Family::V6)];
        Wanted {
            interfaces: self.interface.clone(),
            networks: self.cidr.iter().copied().chain(networks).collect(),
            hosts: hosts.to_vec(),
            families: families.into_iter().filter_map(|(wanted, family)| wanted.then_some(family)).collect(),
            everything: self.yes,
        }
    }

    /// How to scan.
    pub(crate) fn tune(&self, options: Options) -> Options {
        let pace = match (self.fast, self.thorough) {
            (true, _) => Pace::Fast,
            (_, true) => Pace::Thorough,
            _ => Pace::Normal,
        };
        Options { pace, rate: self.rate, time_limit: self.timeout, ..options }
    }
}

/// A network in CIDR notation. A single address is a network of one.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("`{text}` is not a network: write it as 192.0.2.0/24 or 2001:db8::/64"))
}

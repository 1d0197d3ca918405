//! Which addresses a scan asks.

mod links;
mod wanted;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

pub(super) use links::Link;
pub use wanted::{Family, Wanted};

use super::strategy::Target;
use super::{Address, Mac};

/// The largest network that is asked in full without an explicit request: a /22 has 1,024 addresses.
const LARGEST: u128 = 1 << 10;

/// What is left of a larger one: the 256 addresses around our own.
const NEARBY: u8 = 24;

/// The addresses to ask, in order, and the addresses of this machine among them.
#[derive(Debug, Clone)]
pub struct Targets {
    networks: Vec<IpNet>,
    named: Vec<Address>,
    own: BTreeSet<IpAddr>,
    links: Vec<Link>,
    /// Networks of which only a part is asked.
    narrowed: Vec<IpNet>,
    notes: Vec<String>,
    /// The number of the interface that everything has to go through; 0: as the routes say.
    through: u32,
}

impl Targets {
    /// The networks, for reports: as they are asked, each once.
    pub fn networks(&self) -> &[IpNet] {
        &self.networks
    }

    /// What the user should know about the choice.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How many addresses will be asked, those of this machine included.
    #[must_use]
    pub fn len(&self) -> u64 {
        let networks = self.networks.iter().map(|network| u64::try_from(count(network)).unwrap_or(u64::MAX));
        networks.fold(self.named.len() as u64, u64::saturating_add)
    }

    /// Whether there is nothing to ask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Addresses of this machine that are to be looked at, ascending.
    pub fn own(&self) -> impl Iterator<Item = Address> + '_ {
        let wanted = |ip: &IpAddr| {
            let named = self.named.iter().any(|address| address.ip == *ip);
            named || self.networks.iter().any(|network| network.contains(ip))
        };
        self.own.iter().filter(move |ip| wanted(ip)).map(|&ip| Address::routed(ip))
    }

    /// Whether there are only addresses of this machine.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.networks.is_empty() && self.others().next().is_none()
    }

    /// Addresses of other machines, as they are asked.
    pub(super) fn others(&self) -> impl Iterator<Item = Target> + use<> {
        let (named, networks) = (self.clone(), self.clone());
        let named_addresses = named.named.clone();
        let named = named_addresses.into_iter().filter_map(move |address| named.target(address, true));
        let ips = self.networks.clone().into_iter().flat_map(|network| addresses(&network));
        named.chain(ips.filter_map(move |ip| networks.target(networks.address(ip), false)))
    }

    fn address(&self, ip: IpAddr) -> Address {
        Address { ip, zone: self.through }
    }

    /// None for addresses of this machine: they are not asked over the network.
    fn target(&self, address: Address, named: bool) -> Option<Target> {
        if self.own.contains(&address.ip) {
            return None;
        }
        let in_network = |link: &&Link| link.network.contains(&address.ip) && link.has_neighbours;
        let fits = |link: &&Link| address.zone == 0 || link.interface == address.zone;
        let link = self.links.iter().filter(in_network).find(fits);
        Some(Target { address, on_link: link.is_some(), named, interface: link.map_or(0, |link| link.interface) })
    }

    /// A neighbor that the system knew before, if it belongs to a network of which not every address is asked.
    pub(super) fn known_neighbour(&self, address: Address) -> Option<Target> {
        let mut incomplete = self.networks.iter().filter(|network| is_sparse(network)).chain(&self.narrowed);
        incomplete.any(|network| network.contains(&address.ip)).then(|| self.target(address, false)).flatten()
    }

    /// Our own IPv6 addresses in networks that cannot be asked in full, each with its interface: from there all hosts are called.
    pub(super) fn callers(&self) -> impl Iterator<Item = (Ipv6Addr, u32)> + '_ {
        let links = self.links.iter().filter(|link| link.has_neighbours && link.is_up);
        links.filter(|link| self.is_sparse_link(link)).filter_map(|link| match link.own {
            IpAddr::V6(own) => Some((own, link.interface)),
            IpAddr::V4(_) => None,
        })
    }

    fn is_sparse_link(&self, link: &Link) -> bool {
        self.networks.iter().any(|network| is_sparse(network) && link.network == *network)
    }

    /// Where a card that was seen on an interface may have IPv6 addresses.
    pub(super) fn of_card(&self, mac: Mac, interface: u32) -> Vec<Target> {
        let links = self.links.iter().filter(|link| link.interface == interface && self.is_sparse_link(link));
        let address = |link: &Link| {
            let IpNet::V6(network) = link.network else { return None };
            let id = u128::from(u64::from_be_bytes(mac.interface_id()));
            let ip = Ipv6Addr::from(u128::from(network.network()) | id);
            self.target(Address { ip: ip.into(), zone: link.zone() }, false)
        };
        links.filter(|link| link.network.prefix_len() == 64).filter_map(address).collect()
    }

    /// The address as it is asked, of a neighbor that was seen behind the interface that its zone names; none when that is not where we
    /// look.
    pub(super) fn as_asked(&self, seen: Address) -> Option<Address> {
        let link_local = matches!(seen.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let zone = if link_local { seen.zone } else { self.through };
        (self.through == 0 || self.through == seen.zone).then_some(Address { zone, ..seen })
    }

    /// Whether a volunteer belongs to what was asked for.
    pub(super) fn welcomes(&self, address: Address) -> bool {
        !self.own.contains(&address.ip) && self.networks.iter().any(|network| network.contains(&address.ip))
    }

    /// Whether both protocols are spoken: IPv4, IPv6.
    pub(super) fn families(&self) -> (bool, bool) {
        let ips = || self.networks.iter().map(IpNet::addr).chain(self.named.iter().map(|address| address.ip));
        (ips().any(|ip| ip.is_ipv4()), ips().any(|ip| ip.is_ipv6()))
    }

    /// The number of the interface that leads to a neighbor; 0: none does.
    pub(super) fn interface_of(&self, address: Address) -> u32 {
        self.target(address, false).map_or(0, |target| target.interface)
    }

    /// The name of an interface.
    pub(super) fn interface_name(&self, interface: u32) -> Option<&str> {
        self.links.iter().find(|link| link.interface == interface).map(|link| link.name.as_str())
    }
}

/// An IPv6 network in which only some addresses can be asked.
fn is_sparse(network: &IpNet) -> bool {
    matches!(network, IpNet::V6(network) if size(&IpNet::V6(*network)) > LARGEST)
}

/// How many addresses a network has.
fn size(network: &IpNet) -> u128 {
    1_u128.checked_shl(u32::from(network.max_prefix_len() - network.prefix_len())).unwrap_or(u128::MAX)
}

/// How many of them are asked.
fn count(network: &IpNet) -> u128 {
    match network {
        IpNet::V6(v6) if is_sparse(network) => {
            if is_link_local(v6) {
                0
            } else {
                255
            }
        }
        // Neither the network's own address nor the one for all (RFC 950), where it has them (RFC 3021).
        IpNet::V4(v4) if v4.prefix_len() < 31 => size(network) - 2,
        _ => size(network),
    }
}

fn is_link_local(network: &Ipv6Net) -> bool {
    network.network().is_unicast_link_local()
}

fn addresses(network: &IpNet) -> Box<dyn Iterator<Item = IpAddr> + Send> {
    match *network {
        IpNet::V4(network) => Box::new(network.hosts().map(IpAddr::V4)),
        IpNet::V6(v6) if !is_sparse(network) => Box::new(v6.hosts().map(IpAddr::V6)),
        IpNet::V6(v6) if is_link_local(&v6) => Box::new(std::iter::empty()),
        IpNet::V6(v6) => Box::new(links::low_addresses(v6).map(IpAddr::V6)),
    }
}

#[cfg(test)]
mod tests;

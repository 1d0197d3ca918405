//! The links of this machine: its interfaces, their addresses and networks.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use if_addrs::{IfAddr, Interface, get_if_addrs};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// An address of this machine, and the network that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scan) struct Link {
    /// The interface's name.
    pub(in crate::scan) name: String,
    /// The interface's number.
    pub(in crate::scan) interface: u32,
    /// Our address.
    pub(in crate::scan) own: IpAddr,
    /// The network around it.
    pub(in crate::scan) network: IpNet,
    /// Whether every host in that network answers ARP or Neighbor Discovery.
    pub(in crate::scan) has_neighbours: bool,
    pub(in crate::scan) is_loopback: bool,
    pub(in crate::scan) is_up: bool,
}

impl Link {
    /// All of them, in a steady order.
    pub(in crate::scan) fn all() -> io::Result<Vec<Self>> {
        let mut links: Vec<_> = get_if_addrs()?.iter().filter_map(Self::new).collect();
        links.sort_by_key(|link| (link.interface, link.own));
        Ok(links)
    }

    fn new(interface: &Interface) -> Option<Self> {
        let network = match &interface.addr {
            IfAddr::V4(v4) => IpNet::V4(Ipv4Net::new(v4.ip, v4.prefixlen).ok()?.trunc()),
            IfAddr::V6(v6) => IpNet::V6(Ipv6Net::new(v6.ip, v6.prefixlen).ok()?.trunc()),
        };
        Some(Self {
            name: interface.name.clone(),
            interface: interface.index.unwrap_or(0),
            own: interface.ip(),
            network,
            has_neighbours: !interface.is_p2p() && !interface.is_loopback(),
            is_loopback: interface.is_loopback(),
            is_up: interface.is_oper_up(),
        })
    }

    /// Whether a look around takes this one in without an explicit request: no loopback, no tunnel, no network of containers.
    pub(in crate::scan) fn is_usual(&self) -> bool {
        self.is_up && self.has_neighbours && !is_of_containers(&self.name)
    }

    pub(in crate::scan) fn is_link_local(&self) -> bool {
        matches!(self.own, IpAddr::V6(own) if own.is_unicast_link_local())
    }

    /// The zone that addresses of this network need.
    pub(in crate::scan) fn zone(&self) -> u32 {
        if self.is_link_local() { self.interface } else { 0 }
    }
}

/// The interfaces' names, each with its addresses, for messages.
pub(super) fn names(links: &[Link]) -> String {
    let names: BTreeSet<_> = links.iter().map(|link| link.name.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Networks that container engines, hypervisors and clusters make on a machine, by the names they give them.
fn is_of_containers(name: &str) -> bool {
    const BEGINNINGS: [&str; 18] = [
        "docker",
        "podman",
        "veth",
        "virbr",
        "vnet",
        "vmnet",
        "vboxnet",
        "lxcbr",
        "lxdbr",
        "incusbr",
        "cni",
        "flannel",
        "cali",
        "cilium",
        "kube",
        "nerdctl",
        "bridge100",
        "vEthernet",
    ];
    BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) || is_compose_bridge(name)
}

/// `br-` and twelve hexadecimal digits: a network of Docker Compose.
fn is_compose_bridge(name: &str) -> bool {
    name.strip_prefix("br-").is_some_and(|id| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The addresses that people and routers give by hand in an IPv6 network: the first 255.
pub(super) fn low_addresses(network: Ipv6Net) -> impl Iterator<Item = Ipv6Addr> {
    let base = u128::from(network.network());
    (1..=255).map(move |number| Ipv6Addr::from(base | number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_containers_are_known_by_name() {
        for name in ["docker0", "br-0123456789ab", "veth12", "virbr0", "cni0"] {
            assert!(is_of_containers(name), "{name}");
        }
        for name in ["eth0", "br0", "br-lan", "enp3s0", "wlan0", "bond0", "en0"] {
            assert!(!is_of_containers(name), "{name}");
        }
    }
}

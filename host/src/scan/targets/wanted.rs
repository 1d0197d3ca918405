//! What the user wants to have scanned, made into addresses.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};

use super::links::{Link, names};
use super::{LARGEST, NEARBY, Targets, size};
use crate::model::Host;
use crate::scan::{Address, ScanError};

/// A version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn of(ip: IpAddr) -> Self {
        if ip.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// What to scan. Nothing said: the networks that this machine is in.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The networks of these interfaces, by name, and everything only through them.
    pub interfaces: Vec<String>,
    /// These networks.
    pub networks: Vec<IpNet>,
    /// These hosts.
    pub hosts: Vec<Host>,
    /// Only these versions; empty: IPv4, or IPv6 where there is nothing else. Networks and addresses that are named speak for
    /// themselves.
    pub families: Vec<Family>,
    /// Large networks as well, in full.
    pub everything: bool,
}

impl Wanted {
    /// Looks at the interfaces and resolves names.
    ///
    /// # Errors
    /// [`ScanError`]: an interface or name that there is not, a network that is too large, or no network at all.
    pub fn targets(&self) -> Result<Targets, ScanError> {
        let links = Link::all().map_err(ScanError::Interfaces)?;
        self.resolve(links, resolve)
    }

    pub(super) fn resolve(
        &self,
        links: Vec<Link>,
        lookup: impl Fn(&Host) -> Result<Vec<IpAddr>, ScanError>,
    ) -> Result<Targets, ScanError> {
        let mut targets = Targets {
            networks: Vec::new(),
            named: Vec::new(),
            own: links.iter().map(|link| link.own).collect(),
            through: 0,
            links,
            narrowed: Vec::new(),
            notes: Vec::new(),
        };
        for name in &self.interfaces {
            self.add_interface(name, &mut targets)?;
        }
        for network in &self.networks {
            self.add_network(network.trunc(), &mut targets)?;
        }
        for host in &self.hosts {
            self.add_host(host, &lookup(host)?, &mut targets)?;
        }
        if self.interfaces.is_empty() && self.networks.is_empty() && self.hosts.is_empty() {
            self.add_surroundings(&mut targets)?;
        }
        each_once(&mut targets.networks);
        note_double_networks(&mut targets);
        Ok(targets)
    }

    fn add_interface(&self, name: &str, targets: &mut Targets) -> Result<(), ScanError> {
        let links: Vec<_> = targets.links.iter().filter(|link| link.name == name).cloned().collect();
        let Some(first) = links.first() else {
            return Err(ScanError::NoSuchInterface { name: name.to_owned(), known: names(&targets.links) });
        };
        if !first.is_up {
            return Err(ScanError::InterfaceDown { name: name.to_owned() });
        }
        let through = first.interface;
        self.add_links(&links, targets);
        // Several interfaces cannot all be the only way.
        if let [_] = self.interfaces.as_slice() {
            targets.through = through;
        }
        Ok(())
    }

    fn add_surroundings(&self, targets: &mut Targets) -> Result<(), ScanError> {
        let usual: Vec<_> = targets.links.iter().filter(|link| link.is_usual()).cloned().collect();
        let passed_over: Vec<_> =
            targets.links.iter().filter(|link| link.is_up && !link.is_loopback && !link.is_usual()).cloned().collect();
        if usual.is_empty() {
            return Err(ScanError::NoNetwork { passed_over: names(&passed_over) });
        }
        self.add_links(&usual, targets);
        if !passed_over.is_empty() {
            let names = names(&passed_over);
            targets
                .notes
                .push(format!("not scanned: {names} (tunnels and networks of containers; --interface takes one in)"));
        }
        Ok(())
    }

    fn add_links(&self, links: &[Link], targets: &mut Targets) {
        let has = |family| links.iter().any(|link| Family::of(link.own) == family);
        let wants = |family| match self.families.as_slice() {
            [] => family == Family::V4 || !has(Family::V4),
            families => families.contains(&family),
        };
        for link in links.iter().filter(|link| wants(Family::of(link.own))) {
            let network = self.narrowed(link, targets);
            targets.networks.push(network);
        }
    }

    /// The part of a link's network that is asked address by address.
    fn narrowed(&self, link: &Link, targets: &mut Targets) -> IpNet {
        let (IpNet::V4(network), IpAddr::V4(own)) = (link.network, link.own) else { return link.network };
        if size(&link.network) <= LARGEST {
            return link.network;
        }
        if self.everything {
            targets.notes.push(format!("{network}: {}", effort(&link.network)));
            return link.network;
        }
        let nearby = Ipv4Net::new(own, NEARBY).map_or(network, |nearby| nearby.trunc());
        targets.narrowed.push(link.network);
        targets.notes.push(format!(
            "{network} is large ({}): only {nearby} around {own}, and neighbors that the system knows already; --yes scans all of it",
            effort(&link.network)
        ));
        nearby.into()
    }

    fn add_network(&self, network: IpNet, targets: &mut Targets) -> Result<(), ScanError> {
        if size(&network) > LARGEST && network.network().is_ipv4() {
            if !self.everything {
                return Err(ScanError::TooLarge { network, effort: effort(&network) });
            }
            targets.notes.push(format!("{network}: {}", effort(&network)));
        }
        targets.networks.push(network);
        Ok(())
    }

    fn add_host(&self, host: &Host, ips: &[IpAddr], targets: &mut Targets) -> Result<(), ScanError> {
        let family = |family| ips.iter().copied().filter(|ip| Family::of(*ip) == family).collect::<Vec<_>>();
        let chosen = match self.families.as_slice() {
            _ if ips.len() == 1 => ips.to_vec(),
            [] if !family(Family::V4).is_empty() => family(Family::V4),
            [] => ips.to_vec(),
            families => families.iter().flat_map(|&wanted| family(wanted)).collect(),
        };
        if chosen.is_empty() {
            return Err(ScanError::Unresolved {
                host: host.clone(),
                reason: "it has no address of that version".to_owned(),
            });
        }
        for ip in chosen {
            let address = Address { ip, zone: targets.through };
            if !targets.named.contains(&address) {
                targets.named.push(address);
            }
            if ip.is_loopback() {
                targets.own.insert(ip);
            }
        }
        Ok(())
    }
}

/// The addresses of a host, in the resolver's order (getaddrinfo(3)).
fn resolve(host: &Host) -> Result<Vec<IpAddr>, ScanError> {
    if let Ok(literal) = host.as_str().parse::<IpAddr>() {
        return Ok(vec![literal.to_canonical()]);
    }
    let unresolved = |reason: String| ScanError::Unresolved { host: host.clone(), reason };
    let found = (host.as_str(), 0).to_socket_addrs().map_err(|error| unresolved(words(&error.to_string())))?;
    let mut ips = Vec::new();
    for ip in found.map(|address| address.ip().to_canonical()) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    if ips.is_empty() { Err(unresolved("it has no address".to_owned())) } else { Ok(ips) }
}

/// The resolver's own words, without what the standard library puts before them.
fn words(message: &str) -> String {
    message.rsplit_once("information: ").map_or(message, |(_, words)| words).to_lowercase()
}

/// How much a network is, in words: on a link, 768 addresses take about three seconds.
fn effort(network: &IpNet) -> String {
    const PER_SECOND: u128 = 768 / 3;
    let addresses = size(network);
    let time = Duration::from_secs(u64::try_from(addresses / PER_SECOND).unwrap_or(u64::MAX));
    let time = match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} minutes", seconds / 60),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    };
    format!("{addresses} addresses, about {time}")
}

/// Takes out networks that lie in others.
fn each_once(networks: &mut Vec<IpNet>) {
    networks.sort_by_key(|network| (network.network(), network.prefix_len()));
    networks.dedup();
    let all = networks.clone();
    networks.retain(|network| !all.iter().any(|other| other != network && other.contains(network)));
}

/// Two interfaces in one network: the routes choose between them.
fn note_double_networks(targets: &mut Targets) {
    if targets.through != 0 {
        return;
    }
    let links: Vec<_> =
        targets.links.iter().filter(|link| link.has_neighbours && link.is_up && !link.is_link_local()).collect();
    let mut notes = Vec::new();
    for (index, link) in links.iter().enumerate() {
        let scanned =
            targets.networks.iter().any(|network| network.contains(&link.network) || link.network.contains(network));
        let other = links[..index].iter().find(|other| {
            other.interface != link.interface
                && (other.network.contains(&link.network) || link.network.contains(&other.network))
        });
        if let Some(other) = other.filter(|_| scanned) {
            notes.push(format!(
                "{} ({}) and {} ({}) overlap: addresses in both are reached as the routes say; --interface chooses one",
                other.network, other.name, link.network, link.name
            ));
        }
    }
    targets.notes.append(&mut notes);
}

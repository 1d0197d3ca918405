//! Which addresses of this machine a host stands for.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use super::ProbeError;
use super::bind::{Sharing, bind, lacks_family};
use crate::model::{Host, Protocol};

/// What the machine says to an address.
enum Standing {
    Ours,
    /// The machine does not speak this version of IP.
    Lacking,
    Foreign,
}

/// The addresses of this machine that the host stands for. Never empty. A name is looked up; a loopback address or a family
/// that the machine lacks is left out.
///
/// # Errors
/// [`ProbeError::Unresolved`] when the resolver does not know the name, [`ProbeError::NotLocal`] when it, or the address, is not
/// one of this machine.
pub fn local_addresses(host: &Host) -> Result<Vec<IpAddr>, ProbeError> {
    let literal = host.literal_addresses();
    let asked = match &literal {
        Some(addresses) => addresses.clone(),
        None => resolve(host)?,
    };
    let mut ours = Vec::with_capacity(asked.len());
    let mut foreign = None;
    for &address in &asked {
        match standing(address) {
            Standing::Ours => ours.push(address),
            Standing::Lacking => {}
            // One of the two loopback addresses may be missing: IPv6 can be switched off by interface.
            Standing::Foreign if address.is_loopback() => foreign = foreign.or(Some(address)),
            Standing::Foreign => return Err(ProbeError::NotLocal { address }),
        }
    }
    match asked.first() {
        Some(&first) if ours.is_empty() => Err(ProbeError::NotLocal { address: foreign.unwrap_or(first) }),
        _ => Ok(ours),
    }
}

/// The resolver's answer (getaddrinfo(3)), without repetitions. Link-local addresses of IPv6 are left out, since they mean
/// nothing without the name of an interface.
fn resolve(host: &Host) -> Result<Vec<IpAddr>, ProbeError> {
    let unresolved = |reason: String| ProbeError::Unresolved { host: host.clone(), reason };
    let mut addresses = Vec::new();
    for found in (host.as_str(), 0).to_socket_addrs().map_err(|error| unresolved(words(&error.to_string())))? {
        let address = found.ip().to_canonical();
        let link_local = matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        if !link_local && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() { Err(unresolved("it has no address".to_owned())) } else { Ok(addresses) }
}

/// The resolver's own words, without what the standard library puts before them.
fn words(message: &str) -> String {
    message.rsplit_once("information: ").map_or(message, |(_, words)| words).to_lowercase()
}

/// Whether a socket can be bound to the address. UDP, and any free port, since only the address matters here.
fn standing(address: IpAddr) -> Standing {
    match bind(Protocol::Udp, SocketAddr::new(address, 0), Sharing::Nothing) {
        Err(error) if lacks_family(&error) => Standing::Lacking,
        // EINVAL: a link-local address of IPv6, which would need the name of an interface.
        Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput) => Standing::Foreign,
        // Whatever else is wrong, it is not the address. The probe will say.
        _ => Standing::Ours,
    }
}

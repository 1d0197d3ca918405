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

/// Whether the address is one of this machine, as far as can be determined.
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || !matches!(standing(address), Standing::Foreign)
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

/// Whether the address is one of this machine.
#[must_use]
pub fn is_ours(address: IpAddr) -> bool {
    matches!(standing(address), Standing::Ours)
}

/// Whether a socket can be bound to the address. UDP, and any free port, since only the address matters here.
fn standing(address: IpAddr) -> Standing {
    match bind(Protocol::Udp, SocketAddr::new(address, 0), Sharing::Nothing) {
        Err(error) if lacks_family(&error) => Standing::Lacking,
        // EINVAL: a link-local address of IPv6, which would need the name of an interface.
        Err(error) if matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::InvalidInput) => {
            Standing::Foreign
        }
        // Whatever else is wrong, it is not the address. The probe will say.
        _ => Standing::Ours,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(host: &str) -> Result<Vec<String>, String> {
        let addresses = local_addresses(&host.parse().unwrap()).map_err(|error| error.to_string())?;
        Ok(addresses.iter().map(IpAddr::to_string).collect())
    }

    #[test]
    fn the_local_host_is_whatever_loopback_the_machine_has() {
        for host in ["localhost", "127.0.0.1"] {
            let addresses = addresses(host).unwrap();
            assert!(addresses == ["127.0.0.1", "::1"] || addresses == ["127.0.0.1"], "{addresses:?}");
        }
        assert_eq!(addresses("0.0.0.0").unwrap(), ["0.0.0.0"]);
        // On Linux the whole 127.0.0.0/8 is the machine's own.
        #[cfg(target_os = "linux")]
        assert_eq!(addresses("127.0.0.2").unwrap(), ["127.0.0.2"]);
    }

    #[test]
    fn an_address_of_another_machine_is_refused() {
        // No machine has the documentation addresses (RFC 5737, RFC 3849) and this link-local one.
        for foreign in ["198.51.100.7", "2001:db8::7", "fe80::7"] {
            let error = addresses(foreign).unwrap_err();
            assert!(error.starts_with(&format!("{foreign} is not an address of this machine")), "{error}");
        }
    }

    #[test]
    fn a_name_that_nobody_knows_is_refused_by_name() {
        // `.invalid` never resolves (RFC 6761).
        let error = addresses("no-such-host.invalid").unwrap_err();
        assert!(error.starts_with("the host `no-such-host.invalid` cannot be resolved: "), "{error}");
        assert!(!error.contains("information"), "{error}");
    }
}

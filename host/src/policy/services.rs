//! Which service IANA has assigned a port to.

use std::sync::LazyLock;

use crate::model::{Port, PortRange, Protocol};

/// Lines of `PORTS PROTOCOLS SERVICE`, ascending by first port, as `80 tcp,udp http` or `6000-6063 tcp,udp x11`. Written by `iana-table` of
/// the package `portkeeper-tests` from the registry that [`super::iana`] names. Text instead of a table: it is only read to say why.
static SERVICES: &str = include_str!("services.txt");

/// The lines, read once: only a caller that asks why needs them.
static ASSIGNED: LazyLock<Vec<Assigned>> = LazyLock::new(|| SERVICES.lines().filter_map(Assigned::read).collect());

struct Assigned {
    ports: PortRange,
    tcp: bool,
    udp: bool,
    name: &'static str,
}

impl Assigned {
    /// None for port 0, which is assigned, too, but no port.
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.splitn(3, ' ');
        let (ports, protocols, name) = (fields.next()?, fields.next()?, fields.next()?);
        let ports = match ports.contains('-') {
            true => ports.parse().ok()?,
            false => PortRange::from(ports.parse::<Port>().ok()?),
        };
        Some(Self { ports, tcp: protocols.contains("tcp"), udp: protocols.contains("udp"), name })
    }

    fn is(&self, protocol: Protocol, port: Port) -> bool {
        let meant = match protocol {
            Protocol::Tcp => self.tcp,
            Protocol::Udp => self.udp,
        };
        meant && self.ports.contains(port)
    }
}

/// The name of the service, or `Reserved` where IANA keeps the port for itself; none where it is unassigned. Of several names the
/// first.
#[must_use]
pub fn service(protocol: Protocol, port: Port) -> Option<&'static str> {
    ASSIGNED.iter().find(|assigned| assigned.is(protocol, port)).map(|assigned| assigned.name)
}

#[cfg(test)]
mod tests {
    use super::super::gaps::unassigned;
    use super::*;

    fn name(protocol: Protocol, port: u16) -> Option<&'static str> {
        service(protocol, Port::new(port).unwrap())
    }

    #[test]
    fn well_known_services_are_known() {
        assert_eq!(name(Protocol::Tcp, 22), Some("ssh"));
        assert_eq!(name(Protocol::Tcp, 80), Some("http"));
        assert_eq!(name(Protocol::Tcp, 8080), Some("http-alt"));
        assert_eq!(name(Protocol::Tcp, 5432), Some("postgresql"));
        assert_eq!(name(Protocol::Tcp, 6010), Some("x11"), "in the middle of a range");
        assert_eq!(name(Protocol::Udp, 443), Some("https"));
        assert_eq!(name(Protocol::Tcp, 29_500), None);
    }

    #[test]
    fn it_agrees_with_the_table_of_unassigned_ports() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let free: Vec<_> = unassigned(protocol).collect();
            for port in (1..=65_535).step_by(307).chain(1_000..1_100).filter_map(Port::new) {
                let is_free = free.iter().any(|range| range.contains(port));
                assert_eq!(service(protocol, port).is_none(), is_free, "{protocol} {port}");
            }
        }
    }
}

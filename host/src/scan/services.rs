//! What usually listens on a port.

use std::sync::LazyLock;

use crate::model::Port;

/// A line for each TCP port to which IANA has assigned a service, ascending: `22 ssh`. From the Service Name and Transport Protocol
/// Port Number Registry of 2025-11-14, written by `iana-table` of the package `portkeeper-tests`.
static TEXT: &str = include_str!("services.txt");

static SERVICES: LazyLock<Vec<(u16, &str)>> = LazyLock::new(|| {
    let service = |line: &'static str| {
        let (port, name) = line.split_once(' ')?;
        Some((port.parse().ok()?, name))
    };
    TEXT.lines().filter_map(service).collect()
});

/// The name of the service to which IANA has assigned the TCP port; none for most ports. What really listens there may be anything.
#[must_use]
pub fn service(port: Port) -> Option<&'static str> {
    let index = SERVICES.binary_search_by_key(&port.get(), |(port, _)| *port).ok()?;
    Some(SERVICES[index].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_ports_have_their_names() {
        let of = |port| service(Port::new(port).unwrap());
        assert_eq!((of(22), of(80), of(5432)), (Some("ssh"), Some("http"), Some("postgresql")));
        assert_eq!(of(8046), None);
        assert_eq!(SERVICES.len(), TEXT.lines().count());
        assert!(SERVICES.is_sorted());
    }
}

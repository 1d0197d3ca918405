//! Several ports, as people and programs write them.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::{Port, PortError, PortRange, port_list};

/// Some ports: any good one, or those of a list of ports and ranges.
///
/// As text: `-1` (any good one), `8000`, `8000-8010`, `80,443,8000-8010`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortSpec(Option<Vec<PortRange>>);

impl PortSpec {
    /// Any good port: the policy says which those are.
    #[must_use]
    pub fn any() -> Self {
        Self(None)
    }

    /// No port.
    #[must_use]
    pub fn none() -> Self {
        Self(Some(Vec::new()))
    }

    /// The ranges, in the order in which they were written; none for any good port.
    #[must_use]
    pub fn ranges(&self) -> Option<&[PortRange]> {
        self.0.as_deref()
    }

    /// The ports, each once, in the order in which they were written; none for any good port.
    #[must_use]
    pub fn ports(&self) -> Option<Vec<Port>> {
        let mut seen = HashSet::new();
        let all = self.0.as_ref()?.iter().flat_map(|range| range.ports());
        Some(all.filter(|&port| seen.insert(port)).collect())
    }

    /// Whether the port is one of those that are named. Any good port names none.
    #[must_use]
    pub fn contains(&self, port: Port) -> bool {
        self.0.iter().flatten().any(|range| range.contains(port))
    }

    /// The one port, if it is one.
    #[must_use]
    pub fn only(&self) -> Option<Port> {
        match self.0.as_deref()? {
            [range] if range.len() == 1 => Some(range.first()),
            _ => None,
        }
    }
}

impl fmt::Display for PortSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(ranges) => port_list::write(ranges, f),
            None => f.write_str("the good ports"),
        }
    }
}

impl FromStr for PortSpec {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        if text.trim() == "-1" {
            return Ok(Self::any());
        }
        port_list::parse(text).map(|ranges| Self(Some(ranges)))
    }
}

impl From<Port> for PortSpec {
    fn from(port: Port) -> Self {
        PortRange::from(port).into()
    }
}

impl From<PortRange> for PortSpec {
    fn from(range: PortRange) -> Self {
        Self(Some(vec![range]))
    }
}

impl FromIterator<Port> for PortSpec {
    fn from_iter<I: IntoIterator<Item = Port>>(ports: I) -> Self {
        ports.into_iter().map(PortRange::from).collect()
    }
}

impl FromIterator<PortRange> for PortSpec {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        Self(Some(ranges.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Option<Vec<u16>> {
        let ports = text.parse::<PortSpec>().unwrap().ports()?;
        Some(ports.into_iter().map(Port::get).collect())
    }

    #[test]
    fn every_form_is_understood() {
        assert_eq!(ports("-1"), None);
        assert_eq!(ports("8000").unwrap(), [8000]);
        assert_eq!(ports("8000-8003").unwrap(), [8000, 8001, 8002, 8003]);
        assert_eq!(ports("1,2, 8000-8001").unwrap(), [1, 2, 8000, 8001]);
        assert_eq!(ports("9,8-10").unwrap(), [9, 8, 10], "in the order in which they are written, each once");
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        for wrong in ["", ",", "1,", "-2", "8000-", "8010-8000", "1,-1", "0", "65536", "http", "8000-8001-8002"] {
            assert!(wrong.parse::<PortSpec>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn it_prints_as_it_is_written() {
        for text in ["8000", "8000-8003", "1,2,8000-8001"] {
            assert_eq!(text.parse::<PortSpec>().unwrap().to_string(), text);
        }
        assert_eq!(PortSpec::any().to_string(), "the good ports");
    }

    #[test]
    fn any_good_port_names_none() {
        let port = Port::new(8000).unwrap();
        assert!(!PortSpec::any().contains(port) && !PortSpec::none().contains(port));
        assert!(PortSpec::from(port).contains(port));
        assert_eq!(PortSpec::from(port).only(), Some(port));
        assert_eq!([port, Port::new(80).unwrap()].into_iter().collect::<PortSpec>().only(), None);
    }
}

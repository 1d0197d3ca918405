//! A set of ports, as people write it: single ones and ranges.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Port, PortError, PortRange, port_list};

/// Ports, ascending and each once. Never empty. Written `22,80,8000-8050`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortSet(Vec<PortRange>);

impl PortSet {
    /// The ports, ascending.
    pub fn ports(&self) -> impl Iterator<Item = Port> + '_ {
        self.0.iter().flat_map(|range| range.ports())
    }

    /// How many ports there are, 1 to 65535.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a set holds one port at least")]
    pub fn len(&self) -> usize {
        self.0.iter().map(|range| range.len()).sum()
    }

    /// The set of these ports; none when there are none.
    #[must_use]
    pub fn of(ports: impl IntoIterator<Item = Port>) -> Option<Self> {
        Self::joined(ports.into_iter().map(PortRange::from).collect())
    }

    /// The runs of neighboring ports, ascending, as few as possible.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    fn joined(mut ranges: Vec<PortRange>) -> Option<Self> {
        ranges.sort_unstable_by_key(|range| (range.first(), range.last()));
        let mut runs: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match runs.last_mut() {
                Some(run) if range.first().get() <= run.last().get().saturating_add(1) => {
                    let last = run.last().max(range.last());
                    *run = PortRange::new(run.first(), last).unwrap_or(*run);
                }
                _ => runs.push(range),
            }
        }
        (!runs.is_empty()).then_some(Self(runs))
    }
}

impl From<PortRange> for PortSet {
    fn from(range: PortRange) -> Self {
        Self(vec![range])
    }
}

impl FromStr for PortSet {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        Self::joined(port_list::parse(text)?).ok_or_else(|| PortError::NotAPort(text.to_owned()))
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        port_list::write(&self.0, f)
    }
}

impl Serialize for PortSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges_are_joined_and_sorted() {
        let set: PortSet = "8000-8050, 22,80,8051,8040-8060,22".parse().unwrap();
        assert_eq!(set.to_string(), "22,80,8000-8060");
        assert_eq!(set.len(), 63);
        assert_eq!(set.ports().take(3).map(Port::get).collect::<Vec<_>>(), [22, 80, 8000]);
        assert_eq!("1-65535,65535".parse::<PortSet>().unwrap().len(), 65535);
        assert_eq!(PortSet::of([]), None);
    }

    #[test]
    fn what_is_no_port_is_refused() {
        for wrong in ["", ",", "0", "80,", "70000", "80-70", "http", "22;80", "0-10"] {
            assert!(wrong.parse::<PortSet>().is_err(), "{wrong}");
        }
    }
}

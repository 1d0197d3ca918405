//! A port and a range of ports.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A port that can be reserved: 1 to 65535.
///
/// Port 0 is not one: it asks the kernel for any port (`bind(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Port(NonZeroU16);

/// Text or a number that is no port or no range of ports.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortError {
    /// Not a whole number from 1 to 65535.
    #[error("`{0}` is not a port: a port is a whole number from 1 to 65535")]
    NotAPort(String),
    /// Not of the form `A-B`.
    #[error("`{0}` is not a range of ports: write it as `8000-8100`")]
    NotARange(String),
    /// The end comes before the start.
    #[error("the range {first}-{last} runs backwards: did you mean {last}-{first}?")]
    Reversed {
        /// What was given as the start.
        first: Port,
        /// What was given as the end.
        last: Port,
    },
}

impl Port {
    /// The number as a port; none for 0.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, 1 to 65535.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    fn from_number(number: impl TryInto<u16> + Copy + fmt::Display) -> Result<Self, PortError> {
        number.try_into().ok().and_then(Self::new).ok_or_else(|| PortError::NotAPort(number.to_string()))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| text.parse().ok().and_then(Self::new))
            .flatten()
            .ok_or_else(|| PortError::NotAPort(text.to_owned()))
    }
}

impl TryFrom<u16> for Port {
    type Error = PortError;

    fn try_from(number: u16) -> Result<Self, PortError> {
        Self::from_number(number)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.get()
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortVisitor;

        impl Visitor<'_> for PortVisitor {
            type Value = Port;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a port, 1 to 65535")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Port, E> {
                Port::from_number(number).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Port, E> {
                Port::from_number(number).map_err(E::custom)
            }
        }

        deserializer.deserialize_u16(PortVisitor)
    }
}

/// Ports from a first to a last one, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// The range from `first` to `last`.
    ///
    /// # Errors
    /// [`PortError::Reversed`] when `last` is lower than `first`.
    pub fn new(first: Port, last: Port) -> Result<Self, PortError> {
        if last < first {
            return Err(PortError::Reversed { first, last });
        }
        Ok(Self { first, last })
    }

    /// Where servers for development usually are: 8000-9000, the range of the default profile.
    #[must_use]
    pub const fn usual() -> Self {
        const FIRST: Port = Port::new(8000).expect("not zero");
        const LAST: Port = Port::new(9000).expect("not zero");
        Self { first: FIRST, last: LAST }
    }

    /// The lowest port.
    #[must_use]
    pub const fn first(self) -> Port {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub const fn last(self) -> Port {
        self.last
    }

    /// How many ports there are, 1 to 65535.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range holds one port at least")]
    pub const fn len(self) -> usize {
        (self.last.get() - self.first.get()) as usize + 1
    }

    /// Whether the port lies in the range.
    #[must_use]
    pub fn contains(self, port: Port) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// The ports, ascending.
    pub fn ports(self) -> impl Iterator<Item = Port> {
        (self.first.get()..=self.last.get()).filter_map(Port::new)
    }
}

impl From<Port> for PortRange {
    /// The range of this port alone.
    fn from(port: Port) -> Self {
        Self { first: port, last: port }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = PortError;

    fn from_str(text: &str) -> Result<Self, PortError> {
        let (first, last) = text.split_once('-').ok_or_else(|| PortError::NotARange(text.to_owned()))?;
        Self::new(first.trim().parse()?, last.trim().parse()?)
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Accepts `"8000-8100"` and `[8000, 8100]`.
impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RangeVisitor;

        impl<'de> Visitor<'de> for RangeVisitor {
            type Value = PortRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a range of ports, written as [8000, 8100] or \"8000-8100\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<PortRange, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PortRange, A::Error> {
                let short = |count| de::Error::invalid_length(count, &self);
                let first = seq.next_element()?.ok_or_else(|| short(0))?;
                let last = seq.next_element()?.ok_or_else(|| short(1))?;
                if seq.next_element::<de::IgnoredAny>()?.is_some() {
                    return Err(short(3));
                }
                PortRange::new(first, last).map_err(de::Error::custom)
            }
        }

        deserializer.deserialize_any(RangeVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(number: u16) -> Port {
        Port::new(number).unwrap()
    }

    #[test]
    fn a_port_is_a_whole_number_from_1_to_65535() {
        assert_eq!("8080".parse(), Ok(port(8080)));
        assert_eq!("65535".parse(), Ok(port(65535)));
        for wrong in ["0", "65536", "70000", "-1", "+80", "80.0", "", " 80", "http", "99999999999999999999"] {
            assert_eq!(wrong.parse::<Port>(), Err(PortError::NotAPort(wrong.to_owned())));
        }
    }

    #[test]
    fn a_range_includes_both_ends() {
        let range: PortRange = "8000-8002".parse().unwrap();
        assert_eq!(range.ports().map(Port::get).collect::<Vec<_>>(), [8000, 8001, 8002]);
        assert_eq!(range.len(), 3);
        assert!(range.contains(port(8002)) && !range.contains(port(8003)));
        assert_eq!("65535-65535".parse::<PortRange>().unwrap().ports().count(), 1);
    }

    #[test]
    fn a_range_that_runs_backwards_or_leaves_the_ports_is_refused() {
        assert_eq!(
            "9000-8000".parse::<PortRange>().unwrap_err().to_string(),
            "the range 9000-8000 runs backwards: did you mean 8000-9000?"
        );
        for wrong in ["8000", "-", "8000-", "0-10", "1-70000", "a-b", "1-2-3"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_range_is_read_from_a_pair_and_from_text() {
        let pair: PortRange = serde_json::from_str("[8000, 8100]").unwrap();
        let text: PortRange = serde_json::from_str("\"8000-8100\"").unwrap();
        assert_eq!(pair, text);
        for wrong in ["[8000]", "[]", "[1,2,3]", "[0,5]", "8000", "[9,8]", "\"x\""] {
            assert!(serde_json::from_str::<PortRange>(wrong).is_err(), "{wrong}");
        }
    }
}

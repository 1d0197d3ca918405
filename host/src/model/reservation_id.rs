//! Which reservation is meant, whatever changes about it.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::hexadecimal::from_hexadecimal;

/// The identity of a reservation: 64 random bits, made at its birth and kept for life. Written as 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReservationId(u64);

/// Text that is no identity of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no identity of a reservation")]
pub struct ReservationIdError(String);

impl ReservationId {
    /// The identity with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A new one. The standard library's keys come from the system's source of randomness, and differ each time.
    #[must_use]
    pub fn random() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl TryFrom<String> for ReservationId {
    type Error = ReservationIdError;

    fn try_from(text: String) -> Result<Self, ReservationIdError> {
        from_hexadecimal(&text).map(Self).ok_or(ReservationIdError(text))
    }
}

impl From<ReservationId> for String {
    fn from(id: ReservationId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_alike_and_each_is_read_back() {
        let ids = [(); 100].map(|()| ReservationId::random());
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
        assert!(ids.iter().all(|id| ReservationId::try_from(id.to_string()) == Ok(*id)));
        assert!(
            ["", "0", "00000000000000FF", "+000000000000001"]
                .iter()
                .all(|text| { ReservationId::try_from((*text).to_owned()).is_err() })
        );
    }
}

//! Ports that browsers refuse.

use crate::model::Port;

/// The bad ports of the Fetch standard (<https://fetch.spec.whatwg.org/#port-blocking>, as of 2024-08) from 1024 up, ascending. A
/// web server there cannot be reached from a browser.
const BLOCKED: [u16; 19] =
    [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080];

/// The blocked ports, ascending.
pub(super) fn blocked() -> impl Iterator<Item = Port> {
    BLOCKED.into_iter().filter_map(Port::new)
}

//! The lines of `scan --stream`. Without it `scan` answers with the library's [`Report`](crate::scan::Report).

use schemars::JsonSchema;
use serde::Serialize;

use crate::model::Port;
use crate::scan::{Address, Mac, PortState, Scanned, UpBy};

/// A line of `scan --stream`.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum ScanLine<'a> {
    /// A host is there, or more has become known of it.
    Host {
        /// Where it is.
        address: Address,
        /// Its name, if it has one.
        name: Option<&'a str>,
        /// Its network card, where it is on the same link and the system tells.
        mac: Option<Mac>,
        /// How it is known to be there.
        up_by: UpBy,
        /// How long an answer takes, there and back.
        rtt_ms: Option<f64>,
        /// Whether it is an address of this machine.
        own: bool,
    },
    /// What a port of a host does; once for each port.
    Port {
        /// The host's address.
        address: Address,
        /// The port.
        port: Port,
        /// What it does.
        state: PortState,
    },
    /// What the user should know.
    Note {
        /// A sentence.
        text: &'a str,
    },
    /// The last line.
    Finished {
        /// Whether the scan came to its end.
        complete: bool,
        /// What was looked at.
        scanned: &'a Scanned,
        /// How long it took.
        elapsed_ms: u64,
    },
}

//! The look around the local network: which hosts are there, and what their ports do.
//!
//! What is seen from here is one thing, what is true another. An RST says that nothing listens where we asked: the port is *closed*, and
//! probably free. An ICMP error or silence says nothing. The one mistake that must never happen is to call a port closed without an RST.
//!
//! [`Wanted`] becomes [`Targets`]; [`scan`] makes a stream of [`Event`]s of them, and [`Report`] collects these. What is sent when is
//! decided in `strategy`, without any network; `net` has the sockets.

mod address;
mod error;
mod event;
mod names;
mod net;
mod own;
mod report;
mod run;
mod strategy;
mod targets;

pub use address::{Address, Mac};
pub use error::ScanError;
pub use event::{Ending, Event, PortState, Progress, Sighting, UpBy};
pub use ipnet::IpNet;
pub use names::Names;
pub use report::{HostReport, Ports, Report, Scanned, collect, collect_blocking};
pub use run::{Options, Scan, scan};
pub use strategy::Pace;
pub use targets::{Family, Targets, Wanted};

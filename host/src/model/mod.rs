//! The words of the domain as plain types: what a port, a host, a reservation and a lease are.
//!
//! Nothing here touches a socket or a clock, and the only look at a file system is at a project's directory, whose identity it is. Types
//! that users write (ports, ranges, hosts) check themselves when they are parsed, so that everything above this room may trust what it
//! holds.

mod digest;
mod hexadecimal;
mod hold;
mod host;
mod lease;
mod moment;
mod name;
mod place;
mod port;
mod port_list;
mod port_set;
mod port_spec;
mod project;
mod protocol;
mod reservation;
mod reservation_id;

pub use digest::{Digest, DigestError};
pub use hold::{Hold, HoldId, HoldIdError, HoldKind, HoldKindError};
pub use host::{Host, HostError, addresses_overlap};
pub use lease::{Lease, LeaseName, ProcessId};
pub use moment::Moment;
pub use name::{Name, NameError};
pub use place::{Boots, NetworkNamespace, Place};
pub use port::{Port, PortError, PortRange};
pub use port_set::PortSet;
pub use port_spec::PortSpec;
pub use project::Project;
pub use protocol::{Protocol, ProtocolError, Protocols, ProtocolsError};
pub use reservation::{Caller, Guarantee, Reservation};
pub use reservation_id::{ReservationId, ReservationIdError};

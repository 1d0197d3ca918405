//! What the commands answer in JSON: the contract with scripts and agents. Fields are added, never taken away or renamed; a field that has
//! nothing to say is null, or an empty list. A unit is the last word of a field's name: `_ms`, `_seconds`, `_bytes`.

mod config;
mod plugins;
mod ports;
mod reservation;
mod scan;
mod schemas;

pub(crate) use config::{Imported, Prepared, PreparedOutput, Skipped, TrustedPlugin, TrustedTarget, TrustedView};
pub(crate) use plugins::{
    AddedFileView, AddedPlugin, BuiltPlugin, CacheView, CachedPlugin, FixtureView, InspectedPlugin, NewPlugin,
    RemovedFiles, TypeView,
};
pub(crate) use ports::{Diagnosis, Explained, Killed, PickedWhy, RunReport, RunningPort, SocketView, Yours};
pub(crate) use reservation::{
    ClaimView, EndedReservation, NameView, NetworkReservedView, OccupiedView, Released, ReservationView, ReservedView,
    StatusView, other_user,
};
pub(crate) use scan::ScanLine;
pub(crate) use schemas::{ANSWERS, schema_of};

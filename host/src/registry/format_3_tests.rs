//! A program of format 3, as far as it reads: without identities, time namespaces and checksum. What is newer than its own format it reads
//! as far as it understands it, and never writes.

use std::net::IpAddr;

use jiff::Timestamp;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::tests::{encode, reservations};
use crate::model::{Caller, Hold, Host, Lease, NetworkNamespace, Port, Project, Protocol};

const VERSION: u32 = 3;

#[derive(Deserialize)]
struct Document<'a> {
    version: u32,
    #[serde(default, borrow)]
    places: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    projects: Vec<&'a RawValue>,
    #[serde(default, borrow)]
    reservations: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what counts is that they are read")]
struct Place {
    machine: String,
    boot: String,
    network: NetworkNamespace,
    processes: u64,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what counts is that they are read")]
struct Entry {
    port: Port,
    #[serde(default)]
    protocol: Protocol,
    #[serde(default)]
    host: Host,
    #[serde(default)]
    addresses: Option<Vec<IpAddr>>,
    #[serde(default)]
    owner: Option<String>,
    lease: Lease,
    #[serde(default)]
    hold: Option<Hold>,
    #[serde(default)]
    project: Option<usize>,
    #[serde(default)]
    place: usize,
    created: Timestamp,
    since_boot: u64,
    #[serde(default)]
    caller: Option<Caller>,
}

fn is_understood<T: for<'de> Deserialize<'de>>(values: &[&RawValue]) -> bool {
    values.iter().all(|value| serde_json::from_str::<T>(value.get()).is_ok())
}

proptest! {
    #[test]
    fn a_program_of_format_3_understands_every_entry_and_takes_it_for_newer(reservations in reservations()) {
        let written = encode(&reservations);
        let read: Document<'_> = serde_json::from_slice(&written).unwrap();
        prop_assert!(read.version > VERSION, "or it would write it");
        prop_assert_eq!(read.reservations.len(), reservations.len());
        prop_assert!(is_understood::<Place>(&read.places) && is_understood::<Project>(&read.projects));
        for (entry, reservation) in read.reservations.iter().zip(&reservations) {
            let entry: Entry = serde_json::from_str(entry.get()).unwrap();
            prop_assert_eq!(entry.port, reservation.port);
        }
    }
}
